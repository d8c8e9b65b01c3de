# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import (
    DocumentError,
    parse,
    render,
    same,
    secrets,
)
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
DOCUMENTS = st.dictionaries(st.text(), JSON, max_size=6)


@pytest.mark.parametrize(
    ("content", "place", "problem", "fix"),
    [
        (b"", "line 1, column 1:", "empty", "Write {} into it, or remove it"),
        (b" \n\n", "line 1, column 1:", "empty", "Write {} into it, or remove it"),
        (b"\xef\xbb\xbf{}", "line 1, column 1:", "byte order mark", "sed -i '1s/^\\xEF\\xBB\\xBF//'"),
        (b'{\n  "dns": ["\xfc"]\n}', "line 2, column 12:", "the byte 0xfc is not valid UTF-8", "Save it as UTF-8"),
        ('{\n "ü": "ü'.encode() + b'\xff"}', "line 2, column 9:", "the byte 0xff", "Save it as UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "line 1, column 1:", "the byte 0xff", "Save it as UTF-8"),
        (b'{\n  "debug": true,\n}', "line ", "not valid JSON", "Correct that place"),
        (b'{\n  "debug": true\n  "mtu": 1\n}', "line 3, column 3:", "Expecting ',' delimiter", "Correct that place"),
        (b'{\n  // comment\n  "debug": true\n}', "line 2, column 3:", "not valid JSON", "Correct that place"),
        (b'{"debug": True}', "line 1, column 11:", "Expecting value", "Correct that place"),
        (b"{'debug': true}", "line 1, column 2:", "enclosed in double quotes", "Correct that place"),
        (b'{"a": "x\ny"}', "line 1, column 9:", "Invalid control character", "Correct that place"),
        (b'{"debug": true}\n}\n', "line 2, column 1:", "Extra data", "Correct that place"),
        (b'{"debug": true}{"debug": false}', "line 1, column 16:", "Extra data", "Correct that place"),
        (b"\n [1]", "line 2, column 2:", "an array instead of an object", 'look like {"option": value'),
        (b'"text"', "line 1, column 1:", "a single value instead of an object", 'look like {"option": value'),
        (b"null", "line 1, column 1:", "null instead of an object", 'look like {"option": value'),
        (
            b'{\n  "a": 1,\n  "b": 2,\n  "a": 1\n}',
            "line 4, column 3:",
            'key "a" is there a second time',
            "Keep the one",
        ),
        (b'{"x": [{"b": 1, "\\u0062": 2}]}', "line 1, column 17:", 'key "b" is there a second time', "Keep the one"),
        (b'{"a": {}, "a" \n : {}}', "line 1, column 11:", 'key "a"', "Keep the one"),
        (b'{"a": NaN}', "line 1, column 7:", "NaN is no number", "Correct that place"),
        (b'{"a": [-Infinity]}', "line 1, column 8:", "-Infinity is no number", "Correct that place"),
        (b'{"a":\n 1e999}', "line 2, column 2:", "1e999 is no number", "Correct that place"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 1, column 7:", "9" * 20 + "… is no number", "Correct that place"),
        (b'{"a": ' + b"[" * 101 + b"]" * 101 + b"}", "line 1, column 106:", "more than 100 deep", "Correct that place"),
        (b'{"a": ' + b"[" * 100000 + b"]" * 100000 + b"}", "line 1, column 1:", "more than 100 deep", "Correct"),
    ],
)
def test_what_cannot_be_merged_is_told_with_its_place(content: bytes, place: str, problem: str, fix: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(content)
    assert str(caught.value).startswith(place)
    assert problem in str(caught.value)
    assert fix in str(caught.value)


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (b"{}", {}),
        (b'\r\n{"a": {"b": 1}, "c": {"b": 1}, "b": ["b", "b"]}', {"a": {"b": 1}, "c": {"b": 1}, "b": ["b", "b"]}),
        (b'{"a": "{\\"a\\": NaN, \\"a\\": 1}"}', {"a": '{"a": NaN, "a": 1}'}),
        ('{"owner": "Jürgen"}'.encode(), {"owner": "Jürgen"}),
        (b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}", None),
    ],
)
def test_what_only_looks_doubtful_is_read(content: bytes, document: dict | None) -> None:
    assert document is None or parse(content) == document


@given(DOCUMENTS, st.sampled_from([None, 0, 1, 4, "\t"]), st.booleans())
def test_every_valid_object_is_read(document: dict, indent: object, ascii_only: bool) -> None:
    assert same(parse(json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()), document)


@given(DOCUMENTS)
def test_what_is_written_is_read_again(document: dict) -> None:
    assert same(parse(render(document).encode()), document)


def test_half_a_surrogate_pair_survives() -> None:
    document = parse(b'{"a": "\\ud83d", "b": "\\u00fc"}')
    assert parse(render(document).encode()) == document


@pytest.mark.parametrize("indent", [1, 2, 3, 4, 8, "\t"])
def test_the_indentation_of_the_owner_is_kept(indent: object) -> None:
    document = {"a": {"b": [1, {"c": "ü"}]}, "d": True}
    text = json.dumps(document, indent=indent, ensure_ascii=False) + "\n"
    assert render(document, like=text) == text


@pytest.mark.parametrize("like", ["", "{}", '{"a": 1}\n', '{\n"a": 1\n}\n', "{\n\n   \n}"])
def test_without_an_indentation_it_is_two_blanks(like: str) -> None:
    assert render({"a": 1}, like=like) == '{\n  "a": 1\n}\n'


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": "1"}, {"a": 1}, False),
    ],
)
def test_what_means_the_same(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal


def test_secrets_are_known() -> None:
    document = {
        "proxies": {"http-proxy": "http://user:pa55@proxy.example.org:3128", "no-proxy": "localhost"},
        "log-opts": {"splunk-token": "abc", "tag": "x"},
        "registry-mirrors": ["https://u:hush@mirror.example.org", "https://mirror.example.org"],
        "token-count": 3,
    }
    assert secrets(document) == {"pa55", "abc", "hush"}
