# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""How many characters of the arguments are held back at any time, counted: no more than JSON forces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import cut, load_plugin
from strategies import ARGUMENTS, FEW

PLUGIN = load_plugin()
HEAD = '<tool_call>\n{"name": "write", "arguments": '
FILE = "import os\n\n\ndef main() -> None:\n    print(f\"{os.sep}\\t'naïve'\")  # </tool_call> \U0001f600\n" * 3
FILE_CALL = {"path": "C:\\a.py", "text": FILE, "mode": 420, "options": [True, None, {"a": -1.5e-7}, []], "end": ""}

HEX = "[0-9a-fA-F]"
# Up to the last character but one of a surrogate pair; a high surrogate alone may still become a pair.
PART_OF_ESCAPE = re.compile(rf"\\(u{HEX}{{0,3}}|u[dD][89abAB]{HEX}{{2}}(\\(u([dD]([c-fC-F]{HEX}?)?)?)?)?)?")
LONGEST_PART = len(r"\ud83d\ude0")
NUMBER_OR_WORD = re.compile(r"[-+.0-9a-zA-Z]+")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def held_after_each(pieces: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Feed pieces, each with the part of the arguments that it stands for; after each: all so far, what is held."""
    scanner = PLUGIN.ToolCallScanner()
    received = sent = ""
    for piece, part in pieces:
        sent += "".join(event.text for event in scanner.feed(piece) if isinstance(event, PLUGIN.CallArguments))
        received += part
        assert received.startswith(sent)
        yield received, received[len(sent) :]


def is_forced(received: str, held: str) -> bool:
    """Half an escape in a string; outside a number or word, the first brace, the last brace."""
    outside = STRING.sub("", received)
    if '"' in outside:
        return PART_OF_ESCAPE.fullmatch(held) is not None
    if outside.strip() == "{":
        return held == received
    is_complete = outside.count("{") == outside.count("}")
    return held == "}" if is_complete else NUMBER_OR_WORD.fullmatch(held) is not None


def check(pieces: list[tuple[str, str]]) -> int:
    """The most characters that were ever held."""
    longest = 0
    for received, held in held_after_each([(HEAD, ""), *pieces]):
        assert not held or is_forced(received, held), (received, held)
        longest = max(longest, len(held))
    return longest


def as_is(arguments: str, size: int) -> list[tuple[str, str]]:
    return [(piece, piece) for piece in cut(arguments, size)]


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_a_file_leaves_as_it_is_written(size: int, ensure_ascii: bool) -> None:
    longest = check(as_is(json.dumps(FILE_CALL, ensure_ascii=ensure_ascii), size))
    assert longest <= (LONGEST_PART if ensure_ascii else len("-1.5e-07"))


@pytest.mark.parametrize("size", [1, 4])
def test_of_plain_text_in_a_string_nothing_is_held(size: int) -> None:
    begin, text = '{"text": "', "Plain text, with <tags>, {brackets}, </tool_call> and 12 numbers. " * 5
    counts = [len(held) for _, held in held_after_each([(HEAD + begin, begin), *as_is(text, size)])]
    assert counts == [0] * len(counts)


def test_the_first_character_of_the_arguments_leaves_with_the_delta_that_brings_it() -> None:
    """The opening brace alone is none: what follows may still show that there is no call."""
    pieces = [(HEAD, ""), ("{", "{"), ("\n ", "\n "), ('"', '"'), ("p", "p")]
    assert [held for _, held in held_after_each(pieces)] == ["", "{", "{\n ", "", ""]
    assert [held for _, held in held_after_each([(HEAD, ""), ('{"pa', '{"pa')])] == ["", ""]


@pytest.mark.parametrize("size", [1, 4])
def test_encoded_arguments_leave_as_they_are_written(size: int) -> None:
    pieces = [(json.dumps(part, ensure_ascii=False)[1:-1], part) for part in cut(json.dumps(FILE_CALL), size)]
    assert check([('"', ""), *pieces]) <= LONGEST_PART


@FEW
@given(ARGUMENTS, st.sampled_from([1, 2, 4, 7]))
def test_of_any_arguments_no_more_is_held_than_json_forces(arguments: dict[str, Any], size: int) -> None:
    check(as_is(json.dumps(arguments), size))
