# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several choices in one answer: each has its own calls."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openai import OpenAI

from tests.pocket_model import shapes

from . import chat
from .exchange import Answer, Call, Draw

WELL_FORMED = re.compile(r'<tools>\{"name": "read", "arguments": (\{"filePath": "[^"\\]+"\})\}</tools>')


def test_two_equal_choices(client: OpenAI, draw: Draw) -> None:
    exchange = draw(shapes.parallel_request)
    assert chat.whole(chat.create(client, exchange, **chat.TWO_EQUAL)) == [exchange.answer] * 2
    assert chat.streamed(chat.create(client, exchange, stream=True, **chat.TWO_EQUAL)) == [exchange.answer] * 2


def test_two_different_choices(client: OpenAI, draw: Draw) -> None:
    """At a high temperature, with a seed, the two choices differ and come out the same each time."""
    exchange = draw(shapes.read_request)
    for seed in range(50):
        options: dict[str, Any] = {"n": 2, "temperature": 2, "seed": seed, "extra_body": {"top_k": 3}}
        words = [answer.content for answer in chat.whole(chat.create(client, exchange, tool_choice="none", **options))]
        calls = [Call("read", match[1]) for match in map(WELL_FORMED.fullmatch, words) if match]
        if len(calls) == 2 and calls[0] != calls[1]:
            break
    else:
        pytest.fail("no seed gave two different calls")
    answers = [Answer("", (call,), "tool_calls") for call in calls]
    assert chat.whole(chat.create(client, exchange, **options)) == answers
    assert chat.streamed(chat.create(client, exchange, stream=True, **options)) == answers
