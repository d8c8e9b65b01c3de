# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What holds for any output of a model and any way of cutting it. Shared by the property tests and the fuzzer.

Nothing here asks the parser's own JSON code: what is JSON, and what a call says, is judged by the standard library.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from outputs import CLOSE, END_TOKENS, OPEN, Output
from standin import OFFERED, Answer, streamed, whole

Calls = Sequence[tuple[str, Any]]

OPEN_TAG = re.compile("|".join(OPEN))
CLOSE_TAG = re.compile("|".join(CLOSE))
CLOSE_TAGS = re.compile(f"(?:{CLOSE_TAG.pattern})+")
OTHER_MARKS = (*CLOSE, *END_TOKENS, "```json", "```")
OTHER_MARK = re.compile("|".join(map(re.escape, OTHER_MARKS)))
PUNCTUATION = re.compile(r"[\s,\[\]]")
ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)")


@dataclass
class Reading:
    """What the scanner's events say."""

    text: str = ""  # what the client gets as content
    everything: str = ""  # with the text of broken calls
    calls: list[tuple[str, str]] = field(default_factory=list)
    unfinished: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[list[str]] = field(default_factory=list)  # of the arguments, for each started call
    broken: list[str] = field(default_factory=list)  # what is withheld from the content, in one piece each

    @property
    def values(self) -> Calls:
        return [(name, json.loads(arguments)) for name, arguments in self.calls]


def read(plugin: Any, pieces: Iterable[str]) -> Reading:
    """Feed a scanner; fails where the events are in no valid order."""
    reading, name, is_in_broken = Reading(), "", False
    for event in _events(plugin, pieces):
        if isinstance(event, plugin.CallStarted):
            if name:
                reading.unfinished.append((name, "".join(reading.pieces[-1])))
            name = event.name
            assert name, "a call without a name"
            reading.pieces.append([])
        elif isinstance(event, plugin.CallArguments):
            assert name, "arguments of no call"
            assert event.text, "empty arguments"
            reading.pieces[-1].append(event.text)
        elif isinstance(event, plugin.CallFinished):
            assert name, "the end of no call"
            reading.calls.append((name, "".join(reading.pieces[-1])))
            name = ""
        else:
            assert event.text, "empty text"
            reading.everything += event.text
            if not isinstance(event, plugin.BrokenCall):
                reading.text += event.text
            elif is_in_broken:
                reading.broken[-1] += event.text
            else:
                reading.broken.append(event.text)
            is_in_broken = isinstance(event, plugin.BrokenCall)
    if name:
        reading.unfinished.append((name, "".join(reading.pieces[-1])))
    return reading


def _events(plugin: Any, pieces: Iterable[str]) -> Iterator[Any]:
    scanner = plugin.ToolCallScanner(OFFERED)
    for piece in pieces:
        yield from scanner.feed(piece)
    yield from scanner.finish()


def check_whole(plugin: Any, output: Output) -> Reading:
    """In one piece: every character is in a call or in the text, and what the output is known to say is read."""
    reading = read(plugin, [output.text])
    _check_arguments(reading, output.text)
    assert is_accounted_for(output.text, reading.everything, reading.values), "characters are lost or made up"
    assert whole(plugin, output.text) == Answer(reading.everything, list(reading.values)), "the scanner says otherwise"
    if output.content is not None:
        assert reading.values == output.calls, "other calls than were written"
        assert reading.everything.strip() == output.content.strip(), "another text than was written"
    return reading


def check_cut(plugin: Any, output: Output, in_one: Reading, pieces: list[str]) -> Reading:
    """In pieces: the same calls and the same text as in one, but for the text of unfinished calls."""
    reading = read(plugin, pieces)
    assert reading.calls == in_one.calls, "other calls than in one piece"
    assert reading.everything == in_one.everything, "another text than in one piece"
    withheld = [text for text in reading.broken if not CLOSE_TAGS.fullmatch(text)]
    assert len(withheld) <= len(reading.unfinished), "text is withheld without an unfinished call"
    assert bool(withheld) == bool(reading.unfinished), "an unfinished call whose text is lost"
    assert _has_in_order(reading.text, output.survivors), "text around calls is lost"
    _check_arguments(reading, output.text)
    expected = Answer(reading.text, list(reading.values), reading.unfinished)
    assert streamed(plugin, pieces) == expected, "the messages say otherwise than the scanner"
    return reading


def _has_in_order(text: str, parts: list[str]) -> bool:
    return re.search(".*?".join(map(re.escape, parts)), text, flags=re.DOTALL) is not None


def _check_arguments(reading: Reading, output: str) -> None:
    for _, arguments in reading.calls:
        assert isinstance(json.loads(arguments), dict), "arguments that are no object"
    for _, arguments in reading.unfinished:
        assert is_object_prefix(arguments), "what was sent cannot become an object"
    for name, arguments in reading.calls + reading.unfinished:
        (name + arguments).encode()
    for pieces in reading.pieces:
        assert not tears_an_escape(pieces, output), "a torn escape"


def is_object_prefix(text: str) -> bool:
    """Can more text make it one JSON object? The complete object itself is no mere prefix."""
    closers: list[str] = []
    outside_strings = re.sub(r'"(?:[^"\\]|\\.)*(?:"|$)', "", text, flags=re.DOTALL)
    for char in outside_strings:
        if char in "{[":
            closers.append("}" if char == "{" else "]")
        elif char in "}]" and (not closers or closers.pop() != char):
            return False
    if not text.startswith("{") or not closers:
        return False
    end = "".join(reversed(closers))
    return any(_is_json(text + middle + end) for middle in ("", '"', '":0', ":0", "0", '"":0'))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def tears_an_escape(pieces: Iterable[str], output: str) -> bool:
    """Is there a border of pieces inside an escape, or between the halves of a surrogate pair?

    Halves that the model wrote in different ways, one of them raw, are no pair.
    """
    text, borders = "", set()
    for piece in pieces:
        borders.add(len(text))
        text += piece
    for escape in ESCAPE.finditer(text):
        inside = borders & set(range(escape.start() + 1, escape.end()))
        if escape[0] not in output and escape[0].replace("\\", "\\\\") not in output:
            inside.discard(escape.start() + len(r"\uXXXX"))
        if inside:
            return True
    return False


def is_accounted_for(output: str, content: str, calls: Calls) -> bool:
    """Is the output the content plus the calls plus the calls' markup, in this order, and nothing else?

    Between a call and its neighbours tags, fences, punctuation and spaces may go. After a call, a mark that stands
    alone may go too, but spaces and punctuation before text may not.
    """
    if not calls:
        return content == output
    text, mark, gap, lead = range(
        4
    )  # what was read last; no text but a tag may follow a gap, a lead must lead to a call
    todo, seen = [(0, 0, 0, text)], set()
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        at, said, called, last = state
        if at == len(output):
            if said == len(content) and called == len(calls) and last != lead:
                return True
            continue
        in_gap = called and last in (mark, gap)
        tag = OPEN_TAG.match(output, at)
        if PUNCTUATION.match(output, at):
            todo.append((at + 1, said, called, gap if in_gap else lead))
        elif tag:
            todo.append((tag.end(), said, called, lead))
        elif found := OTHER_MARK.match(output, at):
            todo.append((found.end(), said, called, mark if called and last != lead else lead))
        elif output[at] == "{" and called < len(calls):
            todo += [(end, said, called + 1, mark) for end in _ends_of_call(output, at, calls[called])]
        if called and last != lead and any(mark.startswith(output[at:]) for mark in OTHER_MARKS):
            todo.append((len(output), said, called, gap))
        if (last in (text, mark) or (in_gap and tag)) and content.startswith(output[at], said):
            todo.append((at + 1, said + 1, called, text))
    return False


class Members(dict[str, Any]):
    """A JSON object that remembers members of the same name."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


DECODER = json.JSONDecoder(strict=False, object_pairs_hook=Members)


def _ends_of_call(output: str, start: int, call: tuple[str, Any]) -> Iterator[int]:
    """Where an object that says this call may end: at its last brace, or at a close tag instead of that."""
    ends = [(len(output), "")] + [
        (close.start(), braces) for close in CLOSE_TAG.finditer(output, start) for braces in ("}", "}}")
    ]
    for end, braces in ends:
        try:
            value, length = DECODER.raw_decode(output[start:end] + braces)
        except ValueError:
            continue
        # As ASCII, since two surrogates may be written so that they become one character, or do not.
        if json.dumps(call) in map(json.dumps, _meanings(value)):
            yield min(start + length, end)


def _meanings(value: Members) -> Iterator[tuple[str, Any]]:
    """The calls that an object may be taken for; of members of the same name each may count."""
    functions = [inner.pairs for key, inner in value.pairs if key == "function" and isinstance(inner, Members)]
    members = [*value.pairs, *itertools.chain.from_iterable(functions)]
    arguments = [inner for key, inner in members if key in ("arguments", "parameters")] or [None]
    for name in (inner for key, inner in members if key == "name"):
        yield from ((name, _decoded(inner)) for inner in arguments)


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments or {}
    if not arguments.strip():
        return {}
    try:
        return DECODER.decode(arguments)
    except ValueError:
        return arguments
