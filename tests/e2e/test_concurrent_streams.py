# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eight streams at the same time: each gets exactly its own calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TypeVar

import pytest
from openai import OpenAI

from tests.pocket_model import shapes

from . import chat, responses
from .exchange import Draw, Exchange

Event = TypeVar("Event")
Result = TypeVar("Result")
STREAMS = 8


@pytest.fixture
def exchanges(draw: Draw) -> list[Exchange]:
    """Requests of all kinds and in both markups, with an answer each of its own."""
    drawn = [draw(make, hermes=index % 2 == 1) for index, make in enumerate(shapes.CALL_REQUESTS)]
    assert len({exchange.raw for exchange in drawn}) == STREAMS
    return drawn


def test_chat_completions(client: OpenAI, exchanges: list[Exchange]) -> None:
    streams = at_the_same_time(lambda exchange: chat.create(client, exchange, stream=True), chat.streamed, exchanges)
    assert streams == [[exchange.answer] for exchange in exchanges]


def test_chat_completions_with_two_choices(client: OpenAI, exchanges: list[Exchange]) -> None:
    streams = at_the_same_time(
        lambda exchange: chat.create(client, exchange, stream=True, **chat.TWO_EQUAL), chat.streamed, exchanges
    )
    assert streams == [[exchange.answer] * 2 for exchange in exchanges]


def test_responses(client: OpenAI, exchanges: list[Exchange]) -> None:
    streams = at_the_same_time(
        lambda exchange: responses.create(client, exchange, stream=True), responses.streamed, exchanges
    )
    assert streams == [replace(exchange.answer, finish_reason="completed") for exchange in exchanges]


def at_the_same_time(
    begin: Callable[[Exchange], Iterable[Event]],
    read: Callable[[Iterable[Event]], Result],
    exchanges: list[Exchange],
) -> list[Result]:
    """Read one stream per exchange; none is read to its end before all have begun."""
    everyone_has_begun = Barrier(len(exchanges), timeout=600)

    def paused(events: Iterable[Event]) -> Iterator[Event]:
        for number, event in enumerate(events):
            if number == 0:
                everyone_has_begun.wait()
            yield event

    with ThreadPoolExecutor(len(exchanges)) as pool:
        return list(pool.map(lambda exchange: read(paused(begin(exchange))), exchanges))
