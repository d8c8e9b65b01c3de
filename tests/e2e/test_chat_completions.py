# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls the model makes of its own accord, through chat completions."""

from __future__ import annotations

import pytest
from openai import Omit, OpenAI, omit

from tests.pocket_model import shapes

from . import chat
from .exchange import Answer, Draw, Make


@pytest.mark.parametrize("hermes", [False, True], ids=["tools", "tool_call"])
@pytest.mark.parametrize("make", shapes.CALL_REQUESTS, ids=lambda make: make.__name__)
def test_right_calls_arrive_and_nothing_else(client: OpenAI, draw: Draw, make: Make, hermes: bool) -> None:
    exchange = draw(make, hermes=hermes)
    assert chat.ask(client, exchange) == exchange.answer
    assert chat.stream(client, exchange, tool_choice="auto") == exchange.answer


def test_plain_answer_stays_plain_where_tools_are_offered(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.plain_request)
    assert chat.ask(client, exchange) == exchange.answer
    assert chat.stream(client, exchange) == exchange.answer


@pytest.mark.parametrize("tools", [omit, [shapes.tool("grep")]], ids=["no tools", "another tool"])
def test_no_call_without_its_tool(client: OpenAI, draw: Draw, tools: list[shapes.Tool] | Omit) -> None:
    exchange = draw(shapes.read_request)
    refusal = Answer(shapes.NO_TOOL, (), "stop")
    assert chat.ask(client, exchange, tools=tools) == refusal
    assert chat.stream(client, exchange, tools=tools) == refusal


def test_none_leaves_the_words_of_the_model_alone(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.parallel_request)
    words = Answer(exchange.raw, (), "stop")
    assert chat.ask(client, exchange, tool_choice="none") == words
    assert chat.stream(client, exchange, tool_choice="none") == words


def test_result_of_a_call_is_answered(client: OpenAI, draw: Draw, source: shapes.Source) -> None:
    exchange = draw(shapes.read_request)
    message = chat.create(client, exchange).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "42 files"}
    messages = [*exchange.messages, message.model_dump(exclude_none=True), result]
    answer = Answer("It says: 42 files", (), "stop")
    assert chat.ask(client, exchange, messages=messages) == answer
    assert chat.stream(client, exchange, messages=messages) == answer


def test_arguments_stream_while_they_are_generated(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.write_request)
    chunks = [chunk for chunk in chat.create(client, exchange, stream=True) if chunk.choices]
    (answer,) = chat.streamed(chunks)
    assert answer == exchange.answer
    assert sum(bool(chunk.choices[0].delta.tool_calls) for chunk in chunks) >= 3


def test_usage_of_a_stream_is_that_of_the_whole_answer(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.read_request)
    chunks = list(chat.create(client, exchange, stream=True, stream_options={"include_usage": True}))
    assert chat.streamed(chunks) == [exchange.answer]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == chat.create(client, exchange).usage.completion_tokens
