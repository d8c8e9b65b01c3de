# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls through the Responses API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI

from tests.pocket_model import shapes

from . import responses
from .exchange import Answer, Call, Draw, Exchange, Make


def completed(exchange: Exchange) -> Answer:
    return replace(exchange.answer, finish_reason="completed")


@pytest.mark.parametrize("hermes", [False, True], ids=["tools", "tool_call"])
@pytest.mark.parametrize("make", shapes.ALL_REQUESTS, ids=lambda make: make.__name__)
def test_right_calls_arrive_and_nothing_else(client: OpenAI, draw: Draw, make: Make, hermes: bool) -> None:
    exchange = draw(make, hermes=hermes)
    assert responses.ask(client, exchange) == completed(exchange)
    assert responses.stream(client, exchange) == completed(exchange)


@pytest.mark.parametrize("tool_choice", ["required", {"type": "function", "name": "read"}], ids=["required", "named"])
def test_enforced_call(client: OpenAI, draw: Draw, tool_choice: Any) -> None:
    exchange = draw(shapes.read_request)
    assert responses.ask(client, exchange, tool_choice=tool_choice) == completed(exchange)
    assert responses.stream(client, exchange, tool_choice=tool_choice) == completed(exchange)


def test_required_turns_small_talk_into_a_call(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.plain_request)
    tools = [tool for tool in responses.TOOLS if tool["name"] == "current_time"]
    answer = Answer("", (Call("current_time", "{}"),), "completed")
    assert responses.ask(client, exchange, tools=tools, tool_choice="required") == answer
    assert responses.stream(client, exchange, tools=tools, tool_choice="required") == answer


def test_none_leaves_the_words_of_the_model_alone(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.parallel_request)
    words = Answer(exchange.raw, (), "completed")
    assert responses.ask(client, exchange, tool_choice="none") == words
    assert responses.stream(client, exchange, tool_choice="none") == words


def test_one_call_where_several_are_not_allowed(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.parallel_request)
    answer = replace(completed(exchange), calls=exchange.calls[:1])
    assert responses.ask(client, exchange, parallel_tool_calls=False) == answer
    assert responses.stream(client, exchange, parallel_tool_calls=False) == answer


def test_result_of_a_call_is_answered(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.read_request)
    (call,) = responses.create(client, exchange).output
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "42 files"}
    conversation = [*exchange.messages, call.model_dump(exclude_none=True), result]
    answer = Answer("It says: 42 files", (), "completed")
    assert responses.ask(client, exchange, input=conversation) == answer
    assert responses.stream(client, exchange, input=conversation) == answer


def test_cut_off_in_the_arguments(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.read_request)
    used = responses.create(client, exchange).usage.output_tokens
    limit = used - len('x"}}</tools>') - 1  # the last of them is the end of the answer
    whole = responses.ask(client, exchange, max_output_tokens=limit)
    stream = responses.stream(client, exchange, max_output_tokens=limit)
    assert whole.finish_reason == stream.finish_reason == "incomplete"
    assert not whole.calls and not stream.content
    assert exchange.raw.startswith(whole.content)
    # What has been streamed of a call cannot be taken back, but it is what the model wrote.
    (unfinished,), (call,) = stream.calls, exchange.calls
    assert unfinished.name == call.name
    assert unfinished.arguments and call.arguments.startswith(unfinished.arguments) and unfinished != call
    assert whole.content.endswith(unfinished.arguments)
