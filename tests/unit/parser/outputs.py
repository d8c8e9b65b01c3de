# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Random outputs of models, good and bad, and random ways of cutting them.

Everything is drawn from a `random.Random`: the fuzzer seeds one, hypothesis brings its own and shrinks it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cases import given_cases, own_cases
from standin import OFFERED, cut

Call = tuple[str, Any]


@dataclass
class Output:
    """What a model wrote and, where the grammar knows it, what it says."""

    text: str
    content: str | None = None
    calls: list[Call] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)  # text that must reach the client in any case


OPEN = ("<tools>", "<tool_call>")
CLOSE = ("</tools>", "</tool_call>")
END_TOKENS = ("<|im_end|>", "<|endoftext|>")
NAMES = (*OFFERED, "f", "f", "not_offered", "naïve", 'say "hi"')
STRING_UNITS = (
    *"abc é漢/{}[],:'\"\\\n\t\x00\x1f\x7f",
    *("\U0001f600", "\ud83d.", "</tools>", "</tool_call>", "<tools>{", '"}', "```", "<|im_end|>", "\\u12", "\u2028"),
)
KEYS = ("a", "b", "text", "type", "title", "name", "arguments", "description", "", "k\u00e9y", 'q"', "\\")
SCALARS = (None, True, False, 0, -1, 12, 1.5, -2.5e-7, 10**20, "", "object")
PROSE_UNITS = (
    *(
        "word",
        " ",
        " ",
        "\n",
        "a < b",
        "naïve",
        "\U0001f600",
        "it's",
        "x > y",
        "<b>",
        "the <tools> tag",
        "<tool_call",
        "</",
    ),
)
MORE_PROSE = ("[1]", "{x}", "`code`", '{"a": 1}', ", ", "]", "```python", "</tools>")
FENCED_LINES = ("```json\n", "```\n", "```json", "```")
SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}'
NO_CALLS = (
    '{"name": x}',
    '{"name": "f", "arguments": [1]}',
    '{"name": "f", "arguments": 1}',
    '{"arguments": {"a": 1}}',
    '{"name": "", "arguments": {}}',
    '{"name": "f", "age": 3}',
    '{"name": "f", "arguments": {oops}}',
    f'{{"name": "f", "parameters": {SCHEMA}}}',
    f'{{"type": "function", "function": {{"name": "f", "description": "d", "parameters": {SCHEMA}}}}}',
    "{}",
    "[]",
)
BREAKING = (  # after the first argument
    '{"name": "f", "arguments": {"a": 1 2}}',
    '{"name": "f", "arguments": {"a": "b" "c"}}',
    '{"name": "f", "arguments": {"a": 1,}}',
    '{"name": "f", "arguments": {"a": 01}}',
    '{"name": "f", "arguments": {"a": 1}, oops}',
    '{"name": "f", "arguments": "{\\"a\\": 1} and"}',
)
FRAGMENTS = (
    *OPEN, *OPEN, *CLOSE, *FENCED_LINES, *NO_CALLS, *BREAKING,
    *('{"name": "f", "arguments": {"a": 1}}', '<tools>{"name": "f", "arguments": {"a": "'),
    *('<tools>{"name": "f", "parameters": {"title": "', '<tool_call>{"name": "f", "arguments": "{\\"a\\": '),
    *('"name"', '"f"', '"arguments"', '"parameters"', '"function"', '"description"', '"type"', '"object"', ": ", ", "),
    *END_TOKENS,
    *("<to", "</", "\\u00e9", "\\ud83d", "\\ude00", "\ud83d", "\ude00", "\\", "\\\\"),
    *('{', '}', '[', ']', ',', ':', '"', '\\"', '<', '`', ' ', '\n', 'null', '1', '-', '1e', 'true', 'word', '\x00'),
)  # fmt: skip
CORPUS = [case["model_output"] for case in given_cases() + own_cases() if len(case["model_output"]) < 500]


def output(random: Random) -> Output:
    return random.choice((answer, answer, answer, untagged, damaged, damaged, soup))(random)


def cuts(random: Random, text: str) -> list[str]:
    size = random.randrange(8)
    if size:
        return cut(text, size)
    ends = sorted(random.randint(0, len(text)) for _ in range(random.randrange(9)))
    return [text[start:end] for start, end in itertools.pairwise([0, *ends, len(text)])]


def answer(random: Random) -> Output:
    """Text, blocks of calls and blocks that are none."""
    result = Output("", "")
    is_closed = True
    for _ in range(random.randrange(4)):
        if is_closed:
            _add_text(result, prose(random), survives=True)
        is_closed = random.randrange(6) > 0
        _add_block(random, result, is_closed)
    if is_closed:
        _add_text(result, prose(random), survives=True)
        if result.calls and random.randrange(4) == 0:
            result.text += random.choice(END_TOKENS)
    return result


def untagged(random: Random) -> Output:
    """Calls of offered tools without tags; text if anything else is there."""
    calls = [call(random, OFFERED) for _ in range(random.randint(1, 2))]
    text = _list_of(random, [text for text, _ in calls])
    if random.randrange(2):
        text = random.choice(FENCED_LINES[:2]) + text + "\n```"
    if random.randrange(3) == 0:
        text = text + " " + random.choice(("And so on.", "{x}", NO_CALLS[0]))
        return Output(text, None if any(tag in text for tag in OPEN) else text)
    return Output(text, "", [meaning for _, meaning in calls])


def damaged(random: Random) -> Output:
    """A good output or a case of the corpus with something taken out, put in or cut off."""
    text = random.choice((answer(random).text, random.choice(CORPUS), _tagged(random, call(random, NAMES)[0])))
    if random.randrange(3) == 0:
        text += random.choice(CORPUS)
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(text))
        text = text[:start] + random.choice((*FRAGMENTS, "", "")) + text[start + random.randrange(4) :]
    if random.randrange(4) == 0:
        text = text[: random.randint(0, len(text))]
    return Output(text)


def soup(random: Random) -> Output:
    return Output("".join(random.choice(FRAGMENTS) for _ in range(random.randrange(14))))


def prose(random: Random) -> str:
    """Text that opens no block and ends in no beginning of a tag."""
    text = "".join(random.choice(PROSE_UNITS) for _ in range(random.randrange(5)))
    if random.randrange(3) == 0:
        text += random.choice(MORE_PROSE)
    return text and text + random.choice(("", ".", ".\n", " "))


def call(random: Random, names: tuple[str, ...] = NAMES) -> tuple[str, Call]:
    """A call as a model may write it, and what it says."""
    name, arguments = random.choice(names), _object(random, 2)
    key = random.choice(("arguments", "arguments", "parameters"))
    if arguments.get("type") == "object" or isinstance(arguments.get("properties"), dict):
        key = "arguments"
    value = _write(random, arguments)
    if random.randrange(4) == 0:
        value = _write_string(random, value)
    members = [f'"name": {_write(random, name)}', f'"{key}": {value}']
    if not arguments and random.randrange(3) == 0:
        members.pop()
    random.shuffle(members)
    members += random.choice(((), (), ('"id": "call_1"',)))
    text = "{" + random.choice((", ", ",\n  ", ",")).join(members) + "}"
    if random.randrange(5) == 0:
        text = f'{{"type": "function", "function": {text}}}'
    return text, (name, arguments)


def _add_text(result: Output, text: str, survives: bool = False) -> None:
    assert result.content is not None
    result.text += text
    result.content += text
    if survives:
        result.survivors.append(text.strip())


def _add_block(random: Random, result: Output, is_closed: bool) -> None:
    kind = random.randrange(8)
    if kind < 2:
        body = random.choice(NO_CALLS if kind else BREAKING)
        _add_text(result, _tagged(random, body))
        return
    calls = [call(random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    body = _list_of(random, [text for text, _ in calls])
    if random.randrange(8) == 0:
        body = random.choice(FENCED_LINES) + body + "\n```"
    elif random.randrange(8) == 0 and is_closed and body.endswith("}}") and len(calls) == 1 and calls[0][1][1]:
        body = body[:-1]
    elif random.randrange(8) == 0 and is_closed:
        body = _tagged(random, body)
    result.text += _tagged(random, body) if is_closed else random.choice(OPEN) + body
    result.calls += [meaning for _, meaning in calls]


def _tagged(random: Random, body: str) -> str:
    space = random.choice(("", "\n", " "))
    return random.choice(OPEN) + space + body + space + random.choice(CLOSE)


def _list_of(random: Random, texts: list[str]) -> str:
    body = random.choice(("\n", ", ", "", "\n\n")).join(texts)
    return f"[{body}]" if random.randrange(3) == 0 else body


def _object(random: Random, depth: int) -> dict[str, Any]:
    return {_key(random): _value(random, depth) for _ in range(random.randrange(4))}


def _key(random: Random) -> str:
    return random.choice(KEYS) if random.randrange(4) else _string(random)


def _value(random: Random, depth: int) -> Any:
    kind = random.randrange(6 if depth else 4)
    if kind == 5:
        return _object(random, depth - 1)
    if kind == 4:
        return [_value(random, depth - 1) for _ in range(random.randrange(3))]
    return random.choice(SCALARS) if kind == 3 else _string(random)


def _string(random: Random) -> str:
    return "".join(random.choice(STRING_UNITS) for _ in range(random.randrange(6)))


def _write(random: Random, value: Any) -> str:
    """JSON with any layout and any way of writing its characters; control characters in strings may be raw."""
    if isinstance(value, str):
        return _write_string(random, value)
    space = random.choice(("", "", " ", "\n "))
    if isinstance(value, dict):
        members = (_write_string(random, key) + ":" + space + _write(random, inner) for key, inner in value.items())
        return "{" + space + ("," + space).join(members) + "}"
    if isinstance(value, list):
        return "[" + ("," + space).join(_write(random, inner) for inner in value) + space + "]"
    return json.dumps(value)


def _write_string(random: Random, text: str) -> str:
    writer: Callable[[str], str] = random.choice((_escape_little, _escape_little, _escape_standard, _escape_much))
    return '"' + "".join(writer(char) for char in text) + '"'


def _escape_little(char: str) -> str:
    return "\\" + char if char in '"\\' else char


def _escape_standard(char: str) -> str:
    return json.dumps(char, ensure_ascii="\ud800" <= char <= "\udfff")[1:-1]


def _escape_much(char: str) -> str:
    if char in '"\\/':
        return "\\" + char
    return json.dumps(char)[1:-1] if ord(char) > 0xFFFF else f"\\u{ord(char):04x}"
