# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What the model says, and the ways in which it arrives."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server import MODEL, ChatCompletionRequest, Delta
from tokenizer import END_ID, ids_of

TOOLS = ("get_weather", "get_time", "f")
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "zone": {"type": "string"}, "precise": {"type": "boolean"}},
}
# What the model writes in the cases that are about the server and not about the text.
WEATHER = '{"name": "get_weather", "arguments": {"city": "Tokyo"}}'
TIME = '{"name": "get_time", "arguments": {"zone": "Asia/Tokyo", "precise": true}}'


def corpus(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def chat_request(*, tools: bool = True, strict: bool | None = None, **more: Any) -> Any:
    if tools:
        more["tools"] = [{"type": "function", "function": _function(name, strict)} for name in TOOLS]
    return ChatCompletionRequest(model=MODEL, messages=[{"role": "user", "content": "?"}], **more)


def _function(name: str, strict: bool | None) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name, "parameters": PARAMETERS}
    return function if strict is None else {**function, "strict": strict}


def cuts(text: str, *, sizes: tuple[int, ...], seeds: int) -> Iterator[tuple[str, list[str]]]:
    """Ways to cut a text into pieces, each with a description."""
    yield "in one piece", [text]
    for size in sizes:
        yield f"in pieces of {size}", [text[start : start + size] for start in range(0, len(text), size)]
    for seed in range(seeds):
        generator = random.Random(seed)
        ends = (
            sorted(generator.sample(range(1, len(text)), k=generator.randint(0, min(len(text) - 1, 40))))
            if text
            else []
        )
        yield (
            f"in random pieces {seed}",
            [text[start:end] for start, end in itertools.pairwise([0, *ends, len(text)])],
        )


def deltas(pieces: list[str], *, end_apart: bool, choice: int = 0) -> list[Delta]:
    """The model ends by itself: its end token comes alone, or with the last text (as under load)."""
    found = [Delta(piece, ids_of(piece), choice=choice) for piece in pieces]
    if end_apart or not found:
        return [*found, Delta("", [END_ID], "stop", choice)]
    last = found[-1]
    return [*found[:-1], Delta(last.text, [*last.ids, END_ID], "stop", choice)]


def deltas_to_limit(pieces: list[str], choice: int = 0) -> list[Delta]:
    """The token limit ends the answer: there is no end token and no delta of its own."""
    found = [Delta(piece, ids_of(piece), choice=choice) for piece in pieces]
    found[-1].finish_reason = "length"
    return found
