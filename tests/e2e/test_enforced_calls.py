# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that vLLM enforces, in the model's own format: required, named, strict, one at most."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI

from tests.pocket_model import shapes

from . import chat
from .exchange import Answer, Call, Draw

BOTH_MARKUPS = pytest.mark.parametrize("hermes", [False, True], ids=["tools", "tool_call"])


def named(tool: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool}}


def strict(tool: shapes.Tool) -> shapes.Tool:
    return {**tool, "function": {**tool["function"], "strict": True}}


@BOTH_MARKUPS
@pytest.mark.parametrize("make", [shapes.edit_request, shapes.parallel_request], ids=["one call", "two calls"])
def test_required_gives_the_calls_the_model_wants(client: OpenAI, draw: Draw, make: Any, hermes: bool) -> None:
    exchange = draw(make, hermes=hermes)
    assert chat.ask(client, exchange, tool_choice="required") == exchange.answer
    assert chat.stream(client, exchange, tool_choice="required") == exchange.answer


def test_required_turns_small_talk_into_a_call(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.plain_request)
    options: dict[str, Any] = {"tools": [shapes.tool("current_time")], "tool_choice": "required"}
    answer = Answer("", (Call("current_time", "{}"),), "tool_calls")
    assert chat.ask(client, exchange, **options) == answer
    assert chat.stream(client, exchange, **options) == answer


@BOTH_MARKUPS
def test_named_tool_is_called(client: OpenAI, draw: Draw, hermes: bool) -> None:
    exchange = draw(shapes.read_request, hermes=hermes)
    # vLLM says "stop" where the caller has named the tool.
    answer = replace(exchange.answer, finish_reason="stop")
    assert chat.ask(client, exchange, tool_choice=named("read")) == answer
    assert chat.stream(client, exchange, tool_choice=named("read")) == answer


def test_named_tool_is_called_against_the_will_of_the_model(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.read_request)
    answer = Answer("", (Call("current_time", "{}"),), "stop")
    assert chat.ask(client, exchange, tool_choice=named("current_time")) == answer
    assert chat.stream(client, exchange, tool_choice=named("current_time")) == answer


@BOTH_MARKUPS
@pytest.mark.parametrize("tool_choice", ["auto", "required"])
def test_one_call_where_several_are_not_allowed(client: OpenAI, draw: Draw, tool_choice: str, hermes: bool) -> None:
    exchange = draw(shapes.parallel_request, hermes=hermes)
    options: dict[str, Any] = {"tool_choice": tool_choice, "parallel_tool_calls": False}
    answer = replace(exchange.answer, calls=exchange.calls[:1])
    assert chat.ask(client, exchange, **options) == answer
    assert chat.stream(client, exchange, **options) == answer


@BOTH_MARKUPS
def test_strict_tool_is_called_within_its_schema(
    client: OpenAI, draw: Draw, source: shapes.Source, hermes: bool
) -> None:
    """Of its own accord the model would copy the path of the request, which the schema does not allow."""
    exchange = draw(shapes.read_request, hermes=hermes)
    path = source.path()
    loose = copy.deepcopy(shapes.tool("read"))
    loose["function"]["parameters"]["properties"]["filePath"]["enum"] = [path]
    within = replace(exchange.answer, calls=(Call("read", f'{{"filePath": "{path}"}}'),))
    assert chat.ask(client, exchange, tools=[loose]) == exchange.answer
    assert chat.ask(client, exchange, tools=[strict(loose)]) == within
    assert chat.stream(client, exchange, tools=[strict(loose)]) == within


def test_strict_tools_leave_small_talk_alone(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.plain_request)
    tools = [strict(shapes.tool(name)) for name in shapes.TOOL_ARGUMENTS]
    assert chat.ask(client, exchange, tools=tools) == exchange.answer
    assert chat.stream(client, exchange, tools=tools) == exchange.answer
