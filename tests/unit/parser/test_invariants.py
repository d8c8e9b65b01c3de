# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""The judges of the parser, judged on examples."""

from __future__ import annotations

from random import Random
from typing import Any

import outputs
import pytest
from fuzz import shrunk
from invariants import is_accounted_for, is_object_prefix, tears_an_escape

F = '{"name": "f", "arguments": {"a": 1}}'
CALL: tuple[str, Any] = ("f", {"a": 1})


def test_every_beginning_of_an_object_is_a_prefix_but_for_half_a_token() -> None:
    text = r'{"a b": [1, {"c": "x\n\"y\u00e9"}, [], "}"], "d": {"e": ""}}'
    halves = {end for end in range(len(text)) if text[end - 1] == "\\" or r"\u" in text[max(end - 5, 0) : end]}
    halves -= {end for end in halves if text[:end].endswith((r"\n", r"\"", r"\u00e9"))}
    assert {end for end in range(1, len(text)) if not is_object_prefix(text[:end])} == halves


@pytest.mark.parametrize(
    "text", ["", "[", '"', "{}", '{"a": 1}', "{a", '{"a" 1', '{"a": 01', '{"a": 1, ]', '{"a": 1}, ', '{"\\x', '{"\n']
)
def test_what_cannot_become_an_object(text: str) -> None:
    assert not is_object_prefix(text)


@pytest.mark.parametrize(
    ("pieces", "torn"),
    [
        ([r"a\n", "b"], False),
        (["a\\", "n"], True),
        ([r"\u00", "e9"], True),
        ([r"\ud83d", r"\ude00"], True),
        ([r"\ud83d", r"x\ude00"], False),
        ([r"\\", r"ud83d\ude00"], False),
    ],
)
def test_torn_escapes(pieces: list[str], torn: bool) -> None:
    assert tears_an_escape(pieces, "".join(pieces)) is torn


def test_halves_of_a_pair_that_were_not_written_alike_are_none() -> None:
    assert not tears_an_escape([r"\ud83d", r"\ude00"], "\ud83d\\ude00")
    assert tears_an_escape([r"\ud83d\u", "de00"], "\ud83d\\ude00")


@pytest.mark.parametrize(
    ("output", "content", "calls"),
    [
        ("text", "text", []),
        (f"a <tools>{F}</tools> b", "a  b", [CALL]),
        (f"<tools>\n```json\n[{F},\n{F}]\n```</tool_call>\n", "", [CALL, CALL]),
        (f"<tools>{F[:-1]}</tools>.<|im_end|>", ".", [CALL]),
        (f"<tools>{F}</tool", "", [CALL]),
        (f"```json{F}```j", "", [CALL]),
        ('<tools>{"name": "f", "arguments": " "}</tools>', "", [("f", {})]),
        (f"<tools>{F}]<tools>{{}}</tools>", "<tools>{}</tools>", [CALL]),
    ],
)
def test_all_characters_there(output: str, content: str, calls: list[Any]) -> None:
    assert is_accounted_for(output, content, calls)


@pytest.mark.parametrize(
    ("output", "content", "calls"),
    [
        ("text", "tex", []),
        ("text <tools>", "text", []),
        (f"a <tools>{F}</tools> b", "a  ", [CALL]),
        (f"a <tools>{F}</tools> b", " b", [CALL]),
        (f"a <tools>{F}</tools> b", "a  bb", [CALL]),
        (f"a <tools>{F}</tools> b", "a b ", [CALL]),
        (f"<tools>{F}{F}</tools>", "", [CALL]),
        (f"<tools>{F}</tools>", "", [CALL, CALL]),
        (f"<tools>{F}</tools>", "", [("g", {"a": 1})]),
        (f"<tools>{F} see [1]</tools>", " see [1", [CALL]),
        (f"<tools>{F}</tools><tools>{{}}</tools>", "{}</tools>", [CALL]),
        (f"<tools>{F}, {{}}</tools>", "{}", [CALL]),
        (f"<tools>{F}</foo", "", [CALL]),
    ],
)
def test_characters_lost_or_made_up(output: str, content: str, calls: list[Any]) -> None:
    assert not is_accounted_for(output, content, calls)


def test_the_grammar_writes_what_it_says_it_does() -> None:
    written = [outputs.output(Random(seed)) for seed in range(200)]
    assert any(output.calls and output.content for output in written)
    for output in written:
        for _, arguments in output.calls:
            assert isinstance(arguments, dict)
        assert "".join(outputs.cuts(Random(1), output.text)) == output.text


def test_a_failure_is_made_small() -> None:
    pieces = ["some", " text wi", "th an x", " and a y", " in it"]
    assert shrunk(pieces, lambda some: "x" in "".join(some)) == ["x"]
    assert [len(piece) for piece in shrunk(pieces, lambda some: len(some) > 1)] == [1, 1]
