# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What each family of models writes when it calls a tool, through this release's own parser of that family."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from client import read_stream
from families import FAMILIES, tokens
from scripts import chat_request
from server import ChatServer, Delta
from tokenizer import END_ID, SPECIAL, make

_EXPECTED = ("get_weather", {"city": "Bern"})
# By parser.
_FAMILIES = {
    "granite": FAMILIES["granite-3.0"],
    "granite-20b-fc": FAMILIES["granite-20b"],
    "hermes": FAMILIES["hermes"],
    "internlm": FAMILIES["internlm"],
    "jamba": FAMILIES["jamba"],
    "llama3_json": FAMILIES["llama3"],
    "mistral": FAMILIES["mistral"],
    "pythonic": FAMILIES["pythonic"],
    "qwen_tools": FAMILIES["qwen"],
}
OUTPUTS = {parser: family.write("", [_EXPECTED]) for parser, family in _FAMILIES.items()}
# What those models have as one token each; parsers look some of them up in the vocabulary.
_TOKENS = tokens(_FAMILIES.values())
_TOKENIZER = make((*SPECIAL, *_TOKENS))
_AT_TOKENS = re.compile(f"({'|'.join(map(re.escape, _TOKENS))})")
# Characters of text in one delta. A model's tokens have a few; under load a delta holds many of them.
_SIZES = (1, 3, 1000)


def problems(managers: Any, parser: str) -> dict[str, str | None]:
    """Whether the parser reads its family's output, and leaves that of another family alone.

    Empty for gpt-oss, whose parser wants the tokens of its own vocabulary.
    """
    if parser not in OUTPUTS:
        return {}
    other = "hermes" if parser == "pythonic" else "pythonic"
    return {"its own output": _own(managers, parser), "another family's": _foreign(managers, parser, other)}


def stream_problem(parser: str) -> str | None:
    """The first way of cutting a stream in which the call does not arrive whole through this release's server."""
    if parser not in OUTPUTS:
        return None
    for way, pieces in _cuts(OUTPUTS[parser]):
        deltas = [Delta(piece, _ids(piece)) for piece in pieces]
        try:
            stream = ChatServer(None, parser, _TOKENIZER).stream(
                chat_request(stream=True), [*deltas, Delta("", [END_ID], "stop")]
            )
            choice = read_stream(stream).choices[0]
        except Exception as error:  # whatever ends a stream in a server
            return f"{way}: {type(error).__name__}: {error}"
        calls = [(call.name, call.parsed()) for call in choice.calls]
        if calls != [_EXPECTED] or choice.content.strip():
            return f"{way}: {[(call.name, call.arguments) for call in choice.calls]!r}, content {choice.content!r}"
    return None


def _cuts(text: str) -> Iterator[tuple[str, list[str]]]:
    """A token that the model has as such comes in a delta of its own, unless all come in one."""
    parts = [part for part in _AT_TOKENS.split(text) if part]
    for size in _SIZES:
        pieces = [[part] if part in _TOKENS else _pieces(part, size) for part in parts]
        yield f"in pieces of {size}", [piece for some in pieces for piece in some]
    yield "in one delta", [text]


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _ids(text: str) -> list[int]:
    return list(_TOKENIZER.encode(text, add_special_tokens=False))


def _own(managers: Any, parser: str) -> str | None:
    seen = _extracted(managers, parser, OUTPUTS[parser])
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in seen.tool_calls]
    return None if calls == [_EXPECTED] else f"{calls!r}, content {seen.content!r}"


def _foreign(managers: Any, parser: str, other: str) -> str | None:
    seen = _extracted(managers, parser, OUTPUTS[other])
    return None if not seen.tools_called else f"is read by {parser}: {seen.tool_calls!r}"


def _extracted(managers: Any, parser: str, text: str) -> Any:
    return managers.get_tool_parser(parser)(_TOKENIZER).extract_tool_calls(text, chat_request())
