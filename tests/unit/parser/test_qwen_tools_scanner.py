# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""When the scanner lets go of what, and what it costs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from standin import cut, load_plugin

PLUGIN = load_plugin()
TEXT_LONGEST_HELD = len("<tool_call")


def text_of(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, PLUGIN.Text))


def arguments_of(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, PLUGIN.CallArguments))


@pytest.mark.parametrize(
    "text",
    ["Hello, world.\n", "a < b > c <tools <tool_cal </tools> <", "  \n text", "{} [] ``` {", "<tool_call <tools <|im_"],
)
def test_text_leaves_as_soon_as_it_cannot_be_a_tag(text: str) -> None:
    scanner = PLUGIN.ToolCallScanner()
    sent = ""
    for end, char in enumerate(text, 1):
        sent += text_of(scanner.feed(char))
        held = text[len(sent) : end].rstrip()  # after an open tag spaces tell nothing yet
        assert any(tag.startswith(held) for tag in PLUGIN.OPEN_TAGS), held
        assert len(held) <= TEXT_LONGEST_HELD + 1
    assert sent + text_of(scanner.finish()) == text


def test_an_open_tag_that_begins_no_block_leaves_with_the_next_character() -> None:
    scanner = PLUGIN.ToolCallScanner()
    assert text_of(scanner.feed("the <tools>")) == "the "
    assert text_of(scanner.feed(" ")) == ""
    assert text_of(scanner.feed("t")) == "<tools> t"


@pytest.mark.parametrize("prefix", ['{"result', '{"name": "Bob"', "[1", "```p", '{"name": "f", "age'])
def test_an_answer_that_is_json_leaves_when_it_shows_that_it_is_no_call(prefix: str) -> None:
    scanner = PLUGIN.ToolCallScanner(["f"])
    assert text_of(scanner.feed(prefix[:-1])) == ""
    rest = prefix[-1] + ('"' if prefix[-1].isalpha() else "")
    assert text_of(scanner.feed(rest)) == prefix[:-1] + rest


def test_arguments_leave_as_they_come() -> None:
    """From the first key on nothing is held but the last brace."""
    head, arguments = '<tool_call>\n{"name": "f", "arguments": ', '{"path": "/a", "text": "x\\ny"}'
    scanner = PLUGIN.ToolCallScanner()
    scanner.feed(head)
    sent = ""
    for end, char in enumerate(arguments, 1):
        sent += arguments_of(scanner.feed(char))
        held = arguments[len(sent) : end]
        assert held in ("", "{", "\\", "}")
    assert arguments_of(scanner.feed("}")) == "}"


def test_the_name_leaves_with_the_first_argument_character() -> None:
    scanner = PLUGIN.ToolCallScanner()
    assert scanner.feed('<tools>{"name": "f", "arguments": {') == []
    assert scanner.feed('"') == [PLUGIN.CallStarted("f"), PLUGIN.CallArguments('{"')]


def test_the_last_brace_of_the_arguments_waits_for_that_of_the_call() -> None:
    scanner = PLUGIN.ToolCallScanner()
    events = scanner.feed('<tools>{"name": "f", "arguments": {"a": 1}, "id": 5')
    assert events == [PLUGIN.CallStarted("f"), PLUGIN.CallArguments('{"a": 1')]
    assert scanner.feed("}") == [PLUGIN.CallArguments("}"), PLUGIN.CallFinished()]


@pytest.mark.parametrize("encoded", [False, True])
def test_escapes_are_never_torn_apart(encoded: bool) -> None:
    arguments = r'{"a": "\u00e9\ud83d\ude00\"\ud83d"}'
    value = json.dumps(arguments) if encoded else arguments
    scanner = PLUGIN.ToolCallScanner()
    sent = ""
    for char in f'<tools>{{"name": "f", "arguments": {value}}}</tools>':
        sent += (piece := arguments_of(scanner.feed(char)))
        assert piece in ("", r"\u00e9", r"\ud83d\ude00", r"\"", '\\ud83d"', '{"', "}") or len(piece) <= 1
    assert sent == arguments


@pytest.mark.parametrize("word", ["null", "{}", "}", "true", "<tools>", "</tools>", "```json", '\\"', "type", "12"])
def test_a_piece_of_a_string_means_nothing(word: str) -> None:
    scanner = PLUGIN.ToolCallScanner()
    head, tail = '<tools>{"name": "f", "parameters": {"a": "', '"}}</tools>'
    events = [event for piece in (head, word, word, tail) for event in scanner.feed(piece)]
    assert arguments_of(events) == f'{{"a": "{word}{word}"}}'
    assert events[-1] == PLUGIN.CallFinished()


def test_control_characters_and_raw_surrogates_become_escapes() -> None:
    scanner = PLUGIN.ToolCallScanner()
    events = scanner.feed('<tools>{"name": "f", "arguments": {"a": "\n\t\x00\x1f\ud83d\x7f"}}</tools>')
    assert arguments_of(events) == '{"a": "\\n\\t\\u0000\\u001f\\ud83d\x7f"}'


def test_the_scanner_goes_on_after_an_end() -> None:
    """Before vLLM 0.24 the end is guessed: a wrong guess must not lose what follows."""
    scanner = PLUGIN.ToolCallScanner()
    assert text_of(scanner.feed("a <to")) + text_of(scanner.finish()) == "a <to"
    assert text_of(scanner.feed("b")) == "b"


def work(text: str, size: int) -> int:
    """Calls made, and characters carried over from piece to piece: what time is made of, without a clock."""
    calls = carried = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    scanner = PLUGIN.ToolCallScanner(["f"])
    sys.setprofile(count)
    try:
        for piece in cut(text, size):
            scanner.feed(piece)
            carried += len(scanner._text) - scanner._pos
        scanner.finish()
    finally:
        sys.setprofile(None)
    return calls + carried


HOSTILE: dict[str, Callable[[int], str]] = {
    "arguments": lambda n: '<tools>{"name": "f", "arguments": {"a": "' + "lorem\n" * (n // 6) + '"}}</tools>',
    "encoded arguments": lambda n: '<tools>{"name": "f", "arguments": "{\\"a\\": \\"' + "x" * n + '\\"}"}</tools>',
    "spaces after a tag": lambda n: "<tools>" + " " * n + "x",
    "spaces after a call": lambda n: '<tools>{"name": "f"}</tools>' + " " * n + "x",
    "spaces before the arguments": lambda n: '<tools>{"name": "f", "parameters": {' + " " * n + '"title": 1}}</tools>',
    "schema": lambda n: '<tools>{"name": "f", "parameters": {"title": "' + "x" * n + '"}}</tools>',
    "open tags": lambda n: "<tools>" * (n // 7),
    "malformed objects": lambda n: '<tools>{"name": x} ' * (n // 19),
    "blocks in strings": lambda n: '<tools>{"a":"' + '<tools>{",":":"' * (n // 15),
    "blocks in one string": lambda n: '<tools>{"a":"' + "<tools>{'" * (n // 9),
    "braces": lambda n: "<tools>" + "{" * n,
    "numbers": lambda n: '<tools>{"name": "f", "arguments": {"a": ' + "1" * n,
    "bare": lambda n: '{"name": "f", "arguments": {"a": "' + "x" * n + '"}} no',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_cost_is_linear(kind: str) -> None:
    make, n, much = HOSTILE[kind], 2_000, 8
    for size in (3, 10**9):
        small, large = work(make(n), size), work(make(much * n), size)
        assert large <= 1.2 * much * small, (size, small, large)  # quadratic would be 64 times
