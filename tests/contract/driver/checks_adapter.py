# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""The corpus through the parser as the release's serving code calls it, in more ways of cutting than elsewhere."""

from __future__ import annotations

import json
from typing import Any

from checks_chat import of_case
from client import Choice, Fault, add_call
from report import Expected, Report, difference
from scripts import chat_request, cuts, deltas
from server import VERSION, ChatServer, Delta
from tokenizer import PROMPT_IDS, TOKENIZER

SIZES = (1, 2, 3, 5, 7, 16)
SEEDS = 13


def check_all(report: Report, server: ChatServer, cases: list[dict[str, Any]]) -> None:
    for case in cases:
        text, expected = case["model_output"], of_case(case)
        expected.finish_reasons = ()
        for how, pieces in cuts(text, sizes=SIZES, seeds=SEEDS):
            for end_apart in (True, False):
                stream = deltas(pieces, end_apart=end_apart)
                label = f"{case['name']}, {how}, {'end apart' if end_apart else 'end with the last text'}"
                report.check("corpus", label, _fault_of_stream, server, stream, expected)
        label = f"{case['name']}, whole"
        report.check("corpus", label, _fault_of_whole, server, text, expected)


def _fault_of_stream(server: ChatServer, stream: list[Delta], expected: Expected) -> str | None:
    return difference(streamed(server, stream), expected)


def _fault_of_whole(server: ChatServer, text: str, expected: Expected) -> str | None:
    return difference(whole(server, text), expected)


def whole(server: ChatServer, text: str) -> Choice:
    found = server.tool_parser_class(TOKENIZER).extract_tool_calls(text, chat_request())
    choice = Choice(found.content or "")
    for index, call in enumerate(found.tool_calls):
        if not call.id.startswith("chatcmpl-tool-"):
            raise Fault(f"an id that is not ours: {call!r}")
        add_call(choice.calls, {"index": index, **call.model_dump()})
    if found.tools_called != bool(choice.calls):
        raise Fault(f"tools_called is {found.tools_called}")
    return choice


def streamed(server: ChatServer, stream: list[Delta]) -> Choice:
    choice = Choice()
    for message in _messages(server, stream):
        if message is None:
            continue
        wire = json.loads(message.model_dump_json(exclude_unset=True))  # what counts is what goes over the wire
        choice.content += wire.get("content") or ""
        for part in wire.get("tool_calls", []):
            add_call(choice.calls, part)
    return choice


def _messages(server: ChatServer, stream: list[Delta]) -> list[Any]:
    request = chat_request()
    if VERSION >= (0, 24):
        parser = server.parser_class(TOKENIZER, request.tools)
        return [
            parser.parse_delta(
                delta.text, delta.ids, request, prompt_token_ids=PROMPT_IDS, finished=bool(delta.finish_reason)
            )
            for delta in stream
        ]
    parser = server.tool_parser_class(TOKENIZER)
    text, sent = "", []
    ids: list[int] = []
    for delta in stream:
        arguments = {
            "previous_text": text,
            "current_text": text + delta.text,
            "delta_text": delta.text,
            "previous_token_ids": ids,
            "current_token_ids": ids + delta.ids,
            "delta_token_ids": delta.ids,
            "request": request,
        }
        by_name = VERSION < (0, 20)
        call = parser.extract_tool_calls_streaming
        sent.append(call(**arguments) if by_name else call(*arguments.values()))
        text, ids = arguments["current_text"], arguments["current_token_ids"]
    return sent
