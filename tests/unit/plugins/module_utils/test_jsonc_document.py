# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import jsonc_document as document
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import DocumentError
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = {"provider": {"vllm": {"options": {"baseURL": "http://x/v1"}, "limit": {"context": 1}}}}
DEFAULTS = {"model": "vllm/m", "provider": {"vllm": {"options": {"apiKey": "{env:K}"}}}}

USERS = """{
  // mine
  "theme": "dark", /* and so is the night */
  "provider": {
    "other": {"url": "http://a//b", "note": "no /* comment */ here",},
  },
  // the end
}
"""
USERS_AFTER = """{
  // mine
  "theme": "dark", /* and so is the night */
  "provider": {
    "other": {"url": "http://a//b", "note": "no /* comment */ here",},
    "vllm": {
      "options": {
        "baseURL": "http://x/v1",
        "apiKey": "{env:K}"
      },
      "limit": {
        "context": 1
      }
    }
  },
  // the end
  "model": "vllm/m"
}
"""


def test_a_file_with_comments_keeps_them() -> None:
    assert document.merged(USERS, SETTINGS, DEFAULTS) == USERS_AFTER


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{ }\n",
        "{\n}\n",
        "{ // nothing yet\n}",
        '{"a": 1}',
        '{"a": 1 /* one */}',
        '{"a": 1, // one\n}',
        '{\n\t"provider": {}\n}\n',
        '{\r\n    "a": [1, 2],\r\n    "provider": {"vllm": {"options": {"baseURL": "old", "apiKey": "mine"}}}\r\n}\r\n',
    ],
)
def test_every_way_of_writing_is_kept(text: str) -> None:
    result = document.merged(text, SETTINGS, DEFAULTS)
    merged = document.read(result.encode())
    assert merged["provider"]["vllm"]["options"]["baseURL"] == "http://x/v1"
    assert document.merged(result, SETTINGS, DEFAULTS) == result
    assert document.comments(result) == document.comments(text)
    assert result.count("\n") - result.count("\r\n") == 0 or "\r" not in text
    assert result.endswith(text[text.rindex("}") :])


def test_defaults_never_touch_what_is_there() -> None:
    text = '{"model": "mine", "provider": {"vllm": {"options": {"apiKey": "secret"}}}}'
    merged = document.read(document.merged(text, {}, DEFAULTS).encode())
    assert merged == {"model": "mine", "provider": {"vllm": {"options": {"apiKey": "secret"}}}}


def test_a_value_is_replaced_where_it_stands() -> None:
    text = '{\n  "limit": 1, // too little\n  "b": [\n    1\n  ]\n}\n'
    assert document.merged(text, {"limit": 2}, {}) == text.replace('"limit": 1', '"limit": 2')


def test_numbers_and_booleans_are_no_equals() -> None:
    assert document.merged('{"a": 1}', {"a": True}, {}) == '{"a": true}'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [{"name": "a", "n": 1}]),
        ([{"name": "b", "n": 7}], [{"name": "b", "n": 7}, {"name": "a", "n": 1}]),
        ([{"name": "a", "n": 7, "mine": 1}, {"name": "b"}], [{"name": "a", "n": 1, "mine": 1}, {"name": "b"}]),
        (["a", {"other": 1}], ["a", {"other": 1}, {"name": "a", "n": 1}]),
    ],
)
def test_lists_are_merged_by_a_member_where_that_is_asked_for(before: list[Any], after: list[Any]) -> None:
    text, asked = json.dumps({"x": {"list": before}}, indent=2), {"x": {"list": [{"name": "a", "n": 1}]}}
    result = document.merged(text, asked, {}, "name")
    assert json.loads(result) == {"x": {"list": after}}
    assert document.merged(result, asked, {}, "name") == result
    assert json.loads(document.merged(text, asked, {})) == asked


def test_a_comment_in_a_list_that_changes_is_not_lost_without_a_word() -> None:
    with pytest.raises(DocumentError, match="comments in what is there now would be lost"):
        document.merged('{"list": [ /* mine */ ]}', {"list": [{"name": "a"}]}, {}, "name")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("[]", "array"),
        ('{"a": 1, "a": 2}', "second time"),
        ('{"a": 1', "not valid JSON"),
        ('{"a": 1} // fine\n/* not closed', "not valid JSON"),
        ('{"provider": []}', "provider holds []"),
        ('{"provider": {\n"vllm": {"options": {"baseURL": [ /* why */ ]}}}}', "line 2, column 33: baseURL has to be"),
        ('{"provider": {"vllm": "x"}}', "provider.vllm holds"),
    ],
)
def test_what_cannot_be_merged_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        document.merged(text, SETTINGS, {})
    assert said in str(refused.value)


def test_a_file_of_another_encoding() -> None:
    with pytest.raises(DocumentError) as refused:
        document.read(b'{"a": "\xff"}')
    assert "0xff" in str(refused.value)


def test_a_new_file() -> None:
    assert json.loads(document.fresh(SETTINGS, DEFAULTS)) == document.read(
        document.merged("{}", SETTINGS, DEFAULTS).encode()
    )


def test_secrets() -> None:
    found = document.secrets(
        {"a": {"apiKey": "sk-1234", "options": [{"api_key": "{env:K}"}]}, "headers": {"Authorization": "Bearer abcd"}}
    )
    assert found == {"sk-1234", "Bearer abcd"}


def overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """What has to come out, said in the simplest way."""
    both = {
        key: overlaid(below[key], value) for key, value in above.items() if isinstance(value, dict) and key in below
    }
    return {**below, **above, **both}


names = st.text(string.ascii_letters + '"\\ /*', min_size=1, max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable + "äß✓", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


@given(
    owners=st.dictionaries(names, values, max_size=5),
    asked=st.dictionaries(names, values, max_size=3),
    indent=st.sampled_from([None, 1, 2, "\t"]),
    data=st.data(),
)
@settings(deadline=None, max_examples=300)
def test_nothing_of_the_owner_is_lost(
    owners: dict[str, Any], asked: dict[str, Any], indent: Any, data: st.DataObject
) -> None:
    text = json.dumps(owners, indent=indent, ensure_ascii=data.draw(st.booleans()))
    # A comment behind every line, where there are lines.
    text = text.replace("\n", " // a comment\n") if indent else text
    try:
        result = document.merged(text, asked, {})
    except DocumentError as error:
        assert "an object has to be there" in str(error) or (indent and "comments in what is there" in str(error))
        return
    merged = document.read(result.encode())
    assert document.comments(result) == document.comments(text)
    assert merged == overlaid(owners, asked)
    assert document.merged(result, asked, {}) == result
