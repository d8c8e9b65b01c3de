# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One chat completion as the client of an agent sees it, whether it came in one piece or as a stream.

Both ways end in the same :class:`ChatReply`, so that they can be compared. Beside the result it keeps what only
the wire shows: how often a name or an id was sent, in which order the calls came, how many chunks carried a
finish_reason. :mod:`tool_call_judge` decides what of that is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ToolCall:
    """One call; ``arguments`` is the string as received, which need not be JSON."""

    id: str = ""
    type: str = ""
    name: str = ""
    arguments: str = ""
    index: int = 0
    names_sent: list[str] = field(default_factory=list)
    ids_sent: list[str] = field(default_factory=list)
    announced: bool = True  # id and name were in the first delta of this call

    def as_dict(self) -> dict[str, Any]:
        """The call in the form of the API, for evidence."""
        return {"id": self.id, "type": self.type, "function": {"name": self.name, "arguments": self.arguments}}


@dataclass
class ChatReply:
    """A finished answer of the model."""

    streamed: bool
    content: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str | None = None
    finish_reasons: list[str] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    role_count: int = 0
    chunk_count: int = 0
    index_order: list[int] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    ttft: float | None = None

    def tokens(self, which: str) -> int | None:
        """``prompt`` or ``completion`` tokens as the server counted them."""
        value = self.usage.get(f"{which}_tokens")
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def error_in(document: Any) -> tuple[str, int | None] | None:
    """The message and code of an error object, in any of the forms that servers use; None for anything else."""
    if not isinstance(document, dict):
        return None
    error = document.get("error", document if document.get("object") == "error" else None)
    if not error:
        return None
    if isinstance(error, dict):
        code = error.get("code")
        message = error.get("message") or json.dumps(error)
        return str(message), code if isinstance(code, int) else None
    return str(error), None


def from_completion(document: Any) -> ChatReply:
    """Read a non-streamed ``chat.completion``. ValueError when the document is not one."""
    choice = _first_choice(document)
    if choice is None:
        raise ValueError("the answer holds no choices")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError("the answer's first choice holds no message")
    reply = ChatReply(streamed=False, model=str(document.get("model") or ""), chunk_count=1)
    reply.role_count = 1 if message.get("role") else 0
    reply.content = _text(message, "content", reply)
    reply.reasoning = _text(message, "reasoning_content", reply) or _text(message, "reasoning", reply)
    for position, part in enumerate(_calls(message, reply)):
        call = ToolCall(index=position)
        _merge(call, part, reply)
        reply.tool_calls.append(call)
        reply.index_order.append(position)
    _finish(reply, choice)
    _usage(reply, document)
    return reply


class StreamAssembler:
    """Puts the chunks of a streamed ``chat.completion.chunk`` series together."""

    def __init__(self) -> None:
        self.reply = ChatReply(streamed=True)
        self._calls: dict[int, ToolCall] = {}

    def add(self, chunk: Any, elapsed: float) -> None:
        """Take one chunk, ``elapsed`` seconds after the request was sent. ValueError when it is none."""
        if not isinstance(chunk, dict):
            raise ValueError("a chunk of the stream is not a JSON object")
        reply = self.reply
        reply.chunk_count += 1
        reply.model = reply.model or str(chunk.get("model") or "")
        _usage(reply, chunk)
        choice = _first_choice(chunk)
        if choice is None:  # the chunk with the usage has no choices
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._delta(delta, elapsed)
        _finish(reply, choice)

    def _delta(self, delta: dict[str, Any], elapsed: float) -> None:
        reply = self.reply
        reply.role_count += 1 if delta.get("role") else 0
        content = _text(delta, "content", reply)
        reasoning = _text(delta, "reasoning_content", reply) or _text(delta, "reasoning", reply)
        calls = _calls(delta, reply)
        reply.content += content
        reply.reasoning += reasoning
        for part in calls:
            self._call_delta(part)
        if reply.ttft is None and (content or reasoning or calls):
            reply.ttft = elapsed

    def _call_delta(self, part: dict[str, Any]) -> None:
        reply = self.reply
        index = part.get("index")
        if not isinstance(index, int) or isinstance(index, bool):
            reply.violations.append("a streamed tool call has no index, so its pieces cannot be put together")
            index = reply.index_order[-1] if reply.index_order else 0
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = ToolCall(index=index)
            reply.tool_calls.append(call)
            _merge(call, part, reply)
            call.announced = bool(call.id and call.name)
        else:
            _merge(call, part, reply)
        reply.index_order.append(index)


def _first_choice(document: Any) -> dict[str, Any] | None:
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    return choices[0]


def _text(source: dict[str, Any], key: str, reply: ChatReply) -> str:
    value = source.get(key)
    if value is None or isinstance(value, str):
        return value or ""
    reply.violations.append(f"{key} is {type(value).__name__}, not a string")
    return json.dumps(value, ensure_ascii=False)


def _calls(source: dict[str, Any], reply: ChatReply) -> list[dict[str, Any]]:
    calls = source.get("tool_calls")
    if calls is None:
        return []
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        reply.violations.append("tool_calls is not a list of objects")
        return []
    return calls


def _merge(call: ToolCall, part: dict[str, Any], reply: ChatReply) -> None:
    function = part.get("function")
    if function is None:
        function = {}
    elif not isinstance(function, dict):
        reply.violations.append("a tool call's function is not an object")
        function = {}
    name = _text(function, "name", reply)
    call_id = _text(part, "id", reply)
    if name:
        call.names_sent.append(name)
        call.name = call.name or name
    if call_id:
        call.ids_sent.append(call_id)
        call.id = call.id or call_id
    call.type = call.type or _text(part, "type", reply)
    call.arguments += _text(function, "arguments", reply)


def _finish(reply: ChatReply, choice: dict[str, Any]) -> None:
    reason = choice.get("finish_reason")
    if reason is not None:
        reply.finish_reasons.append(str(reason))
        reply.finish_reason = str(reason)


def _usage(reply: ChatReply, document: dict[str, Any]) -> None:
    usage = document.get("usage")
    if isinstance(usage, dict):
        reply.usage = usage
