# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chat completions through the official client, streamed or not, seen as the same Answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDelta

from .exchange import ALL_TOOLS, Answer, Call, Exchange

MODEL = "pocket"
# vLLM refuses several greedy choices; sampling from the likeliest token alone is the same.
TWO_EQUAL: dict[str, Any] = {"n": 2, "temperature": 1, "extra_body": {"top_k": 1}}


def create(client: OpenAI, exchange: Exchange, **options: Any) -> Any:
    """The client's own object; greedy and with all tools unless the options say otherwise."""
    given = {"model": MODEL, "messages": exchange.messages, "tools": ALL_TOOLS, "temperature": 0, **options}
    return client.chat.completions.create(**given)


def ask(client: OpenAI, exchange: Exchange, **options: Any) -> Answer:
    (answer,) = whole(create(client, exchange, **options))
    return answer


def stream(client: OpenAI, exchange: Exchange, **options: Any) -> Answer:
    (answer,) = streamed(create(client, exchange, stream=True, **options))
    return answer


def whole(completion: ChatCompletion) -> list[Answer]:
    """All choices of an answer that was not streamed."""
    answers = []
    for choice in completion.choices:
        calls = [call for call in choice.message.tool_calls or () if call.type == "function"]
        assert len({call.id for call in calls}) == len(calls)
        given = tuple(Call(call.function.name, call.function.arguments) for call in calls)
        answers.append(Answer(choice.message.content or "", given, choice.finish_reason))
    return answers


@dataclass
class _Streaming:
    content: str = ""
    ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, delta: ChoiceDelta) -> None:
        self.content += delta.content or ""
        for part in delta.tool_calls or ():
            assert part.function is not None
            if part.index == len(self.ids):
                assert part.id and part.id not in self.ids and part.function.name
                self.ids.append(part.id)
                self.names.append(part.function.name)
                self.arguments.append("")
            else:
                assert part.index == len(self.ids) - 1, "a call that was over goes on"
                assert not part.id and not part.function.name, "a call begins twice"
            self.arguments[-1] += part.function.arguments or ""


def streamed(chunks: Iterable[ChatCompletionChunk]) -> list[Answer]:
    """All choices of a stream, put together as the protocol says; a stream that breaks its rules fails the test."""
    choices: dict[int, _Streaming] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            state = choices.setdefault(choice.index, _Streaming())
            assert state.finish_reason is None, "the choice goes on after its end"
            state.add(choice.delta)
            state.finish_reason = choice.finish_reason
    return [
        Answer(state.content, tuple(map(Call, state.names, state.arguments)), state.finish_reason)
        for _index, state in sorted(choices.items())
    ]
