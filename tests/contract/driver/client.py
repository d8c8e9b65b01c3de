# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What a client makes of an answer; everything that is no valid answer is a Fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class Fault(Exception):
    """The answer breaks the protocol."""


@dataclass
class Call:
    name: str
    arguments: str

    def parsed(self) -> Any:
        """The arguments' object, or None where they are cut off."""
        try:
            return json.loads(self.arguments)
        except json.JSONDecodeError:
            return None


@dataclass
class Choice:
    content: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)
    finish_reason: str = ""  # none was sent


@dataclass
class Answer:
    choices: list[Choice]
    usage: dict[str, Any] | None = None


def read_whole(body: dict[str, Any]) -> Answer:
    choices = []
    for index, entry in enumerate(body["choices"]):
        if entry["index"] != index:
            raise Fault(f"choice {entry['index']} stands at {index}")
        message = entry["message"]
        calls = []
        for call in message.get("tool_calls") or []:
            if call["type"] != "function" or not call["id"]:
                raise Fault(f"no proper call: {call!r}")
            calls.append(Call(call["function"]["name"], call["function"]["arguments"]))
        choices.append(Choice(message["content"] or "", _reasoning(message), calls, entry["finish_reason"]))
    return Answer(choices, body["usage"])


def read_stream(events: list[str], choices: int = 1) -> Answer:
    answer = Answer([Choice() for _ in range(choices)])
    bodies = [_data(event) for event in events]
    if bodies.pop() != "[DONE]":
        raise Fault("the stream does not end with [DONE]")
    for body in bodies:
        chunk = json.loads(body)
        if chunk.get("object") != "chat.completion.chunk":
            raise Fault(f"no chunk: {body}")
        for entry in chunk["choices"]:
            _add(answer.choices[entry["index"]], entry)
        answer.usage = chunk.get("usage") or answer.usage
    return answer


def _data(event: str) -> str:
    if not event.startswith("data: ") or not event.endswith("\n\n") or "\n" in event[:-2]:
        raise Fault(f"no server-sent event: {event!r}")
    return event[len("data: ") : -2]


def _add(choice: Choice, entry: dict[str, Any]) -> None:
    delta = entry["delta"]
    if choice.finish_reason:
        raise Fault(f"a delta after the finish_reason: {entry!r}")
    choice.content += delta.get("content") or ""
    choice.reasoning += _reasoning(delta)
    for part in delta.get("tool_calls") or []:
        add_call(choice.calls, part)
    choice.finish_reason = entry.get("finish_reason") or ""


def add_call(calls: list[Call], part: dict[str, Any]) -> None:
    function = part["function"]
    if part["index"] == len(calls):
        if part.get("type") != "function" or not part.get("id") or not function.get("name"):
            raise Fault(f"a call begins wrongly: {part!r}")
        calls.append(Call(function["name"], ""))
    elif part["index"] != len(calls) - 1:
        raise Fault(f"a part of call {part['index']} after {len(calls)} calls")
    elif function.get("name") or part.get("id"):
        raise Fault(f"a call begins twice: {part!r}")
    calls[-1].arguments += function.get("arguments") or ""


def _reasoning(message: dict[str, Any]) -> str:
    return message.get("reasoning") or message.get("reasoning_content") or ""
