# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Drives the parser plugin through the vLLM that this interpreter has.

    python check_parser_on_vllm.py --plugin PATH --cases PATH

The plugin is loaded as the server loads it (ToolParserManager), composed as the server composes it (ParserManager) and
asked as the server asks: `parse` for a whole answer, `parse_delta` for a streamed one, with a chat completion's request
and, for whole answers, with one of the Responses API. Needs vLLM >= 0.24 and no model: the tokenizer is a stand-in that
knows only its end token. Prints a line per failed check and the count; exits with 1 if a check failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.responses.protocol import ResponsesRequest
from vllm.parser.parser_manager import ParserManager
from vllm.tool_parsers import ToolParserManager

NAME = "qwen_tools"
TOOLS = ("get_weather", "get_time", "f")
SIZES = (1, 2, 3, 5, 7, 16)
SEEDS = range(13)
END_TOKEN = 2
PARAMETERS = {"type": "object", "properties": {}}


class Tokenizer:
    eos_token_id = END_TOKEN

    def get_vocab(self) -> dict[str, int]:
        return {"<|im_end|>": END_TOKEN}


@dataclass
class Answer:
    content: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    unfinished: bool = False


def chat_request(**more: Any) -> ChatCompletionRequest:
    tools = [{"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in TOOLS]
    return ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "?"}], tools=tools, **more)


def responses_request(**more: Any) -> ResponsesRequest:
    tools = [{"type": "function", "name": name, "parameters": PARAMETERS, "strict": False} for name in TOOLS]
    return ResponsesRequest(model="m", input="?", tools=tools, **more)


def pieces_of(text: str) -> Iterator[tuple[str, list[str]]]:
    yield "in one piece", [text]
    for size in SIZES:
        yield f"in pieces of {size}", [text[start : start + size] for start in range(0, len(text), size)]
    for seed in SEEDS:
        generator = random.Random(seed)
        ends = sorted(generator.sample(range(len(text) + 1), k=generator.randint(0, min(len(text), 40))))
        cuts = itertools.pairwise([0, *ends, len(text)])
        yield f"in random pieces {seed}", [text[start:end] for start, end in cuts]


def parse(parser_class: Any, text: str, request: Any) -> Answer:
    parser = parser_class(Tokenizer(), request.tools)
    _, content, calls = parser.parse(text, request, enable_auto_tools=True)
    answer = Answer(content=content or "")
    for call in calls or []:
        answer.calls.append({"name": call.name, "arguments": json.loads(call.arguments)})
        if not str(call.id).startswith("chatcmpl-tool-"):
            raise ValueError(f"call without an id of ours: {call!r}")
    return answer


def stream(parser_class: Any, pieces: list[str], request: Any, *, end_apart: bool) -> Answer:
    """As the engine sends it: the end is a delta of its own without text, or it comes with the last text."""
    parser = parser_class(Tokenizer(), request.tools)
    deltas = [(piece, [100], False) for piece in pieces]
    if end_apart or not deltas:
        deltas.append(("", [END_TOKEN], True))
    else:
        deltas[-1] = (deltas[-1][0], [100, END_TOKEN], True)
    content = ""
    calls: dict[int, dict[str, Any]] = {}
    for text, token_ids, finished in deltas:
        message = parser.parse_delta(text, token_ids, request, prompt_token_ids=[1], finished=finished)
        if message is None:
            continue
        # What counts is what goes over the wire.
        wire = json.loads(message.model_dump_json(exclude_unset=True))
        content += wire.get("content") or ""
        for delta in wire.get("tool_calls", []):
            add_delta(calls, delta)
    return finished_answer(content, calls)


def add_delta(calls: dict[int, dict[str, Any]], delta: dict[str, Any]) -> None:
    function = delta["function"]
    if delta["index"] not in calls:
        if delta["index"] != len(calls) or delta["type"] != "function" or not delta["id"] or not function["name"]:
            raise ValueError(f"a call begins wrongly: {delta!r}")
        calls[delta["index"]] = {"name": function["name"], "arguments": ""}
    elif "name" in function or "id" in delta:
        raise ValueError(f"a call has two beginnings: {delta!r}")
    calls[delta["index"]]["arguments"] += function.get("arguments") or ""


def finished_answer(content: str, calls: dict[int, dict[str, Any]]) -> Answer:
    answer = Answer(content)
    for call in calls.values():
        try:
            answer.calls.append({"name": call["name"], "arguments": json.loads(call["arguments"])})
        except json.JSONDecodeError:
            answer.unfinished = True
    return answer


def difference(answer: Answer, case: dict[str, Any]) -> str | None:
    if answer.calls != case["expected_calls"]:
        return f"calls {answer.calls!r}, not {case['expected_calls']!r}"
    expected = (case["expected_content"] or "").strip()
    if answer.content.strip() == expected:
        return None
    # The permitted difference: a call that broke after its arguments had begun is not repeated as text.
    if answer.unfinished and len(answer.content) < len(expected):
        return None
    return f"content {answer.content!r}, not {expected!r}"


def without_tools(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "expected_content": case["model_output"], "expected_calls": []}


def checks(parser_class: Any, case: dict[str, Any]) -> Iterator[tuple[str, Callable[[], Answer], dict[str, Any]]]:
    text = case["model_output"]
    none = chat_request(tool_choice="none")
    yield "chat, whole", partial(parse, parser_class, text, chat_request()), case
    yield "responses, whole", partial(parse, parser_class, text, responses_request()), case
    yield "no tools wanted, whole", partial(parse, parser_class, text, none), without_tools(case)
    for how, pieces in pieces_of(text):
        for end_apart in (True, False):
            label = f"chat, streamed {how}, end {'apart' if end_apart else 'with the last'}"
            yield label, partial(stream, parser_class, pieces, chat_request(), end_apart=end_apart), case
        label = f"no tools wanted, streamed {how}"
        yield label, partial(stream, parser_class, pieces, none, end_apart=True), without_tools(case)


def main() -> int:
    arguments = argparse.ArgumentParser(description="Check the parser plugin on the installed vLLM.")
    arguments.add_argument("--plugin", type=Path, required=True)
    arguments.add_argument("--cases", type=Path, required=True)
    options = arguments.parse_args()

    ToolParserManager.import_tool_parser(str(options.plugin.resolve()))
    parser_class = ParserManager.get_parser(tool_parser_name=NAME, enable_auto_tools=True, tokenizer=Tokenizer())
    passed = failed = 0
    for line in options.cases.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        for label, answer, expected in checks(parser_class, case):
            try:
                fault = difference(answer(), expected)
            except Exception as error:  # a parser that raises ends the stream: that is a failed check, not our end
                fault = f"{type(error).__name__}: {error}"
            passed += fault is None
            failed += fault is not None
            if fault:
                print(f"{case['name']}: {label}: {fault}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
