# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Responses API through the official client, seen as the same Answer; its finish_reason is the status here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent

from .chat import MODEL
from .exchange import ALL_TOOLS, Answer, Call, Exchange

TOOLS = [{"type": "function", **tool["function"]} for tool in ALL_TOOLS]


def create(client: OpenAI, exchange: Exchange, **options: Any) -> Any:
    """The client's own object; greedy and with all tools unless the options say otherwise."""
    given = {"model": MODEL, "input": exchange.messages, "tools": TOOLS, "temperature": 0, **options}
    return client.responses.create(**given)


def ask(client: OpenAI, exchange: Exchange, **options: Any) -> Answer:
    return whole(create(client, exchange, **options))


def stream(client: OpenAI, exchange: Exchange, **options: Any) -> Answer:
    return streamed(create(client, exchange, stream=True, **options))


def whole(response: Response) -> Answer:
    calls = tuple(Call(item.name, item.arguments) for item in response.output if item.type == "function_call")
    return Answer(response.output_text, calls, response.status)


def streamed(events: Iterable[ResponseStreamEvent]) -> Answer:
    """The last event's response; a stream whose items do not add up to it, or come out of order, fails the test."""
    created, in_progress, *inner, last = events
    assert (created.type, in_progress.type) == ("response.created", "response.in_progress")
    assert last.type in ("response.completed", "response.incomplete")
    numbers = [event.sequence_number for event in (created, in_progress, *inner, last)]
    assert numbers == list(range(len(numbers)))
    answer = whole(last.response)
    done = _items(inner)
    assert "".join(item for item in done if isinstance(item, str)) == answer.content
    assert tuple(item for item in done if isinstance(item, Call)) == answer.calls
    return answer


def _items(events: Iterable[Any]) -> list[str | Call]:
    """The texts and calls of the output items, each begun, filled and ended before the next."""
    items: list[str | Call] = []
    item, text = None, ""
    for event in events:
        assert event.output_index == len(items)
        if event.type == "response.output_item.added":
            assert item is None, "an item begins within another"
            item, text = event.item, ""
            continue
        assert item is not None, f"{event.type} outside of an item"
        if event.type == "response.output_item.done":
            assert (event.item.type, event.item.id) == (item.type, item.id)
            items.append(text if item.type == "message" else Call(item.name, text))
            item = None
        else:
            assert event.item_id == item.id
            text += getattr(event, "delta", "")
            if event.type in ("response.output_text.done", "response.function_call_arguments.done"):
                assert text == (event.text if item.type == "message" else event.arguments)
    assert item is None, "an item does not end"
    return items
