# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that max_tokens ends, at every place where that can happen: text comes back as it is, nothing is invented."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum

import pytest
from openai import OpenAI

from tests.pocket_model import shapes

from . import chat
from .exchange import Answer, Draw, Exchange


class CutIn(IntEnum):
    """Where a call is cut off, from its beginning to its end."""

    HEAD = 0
    ARGUMENTS = 1
    CLOSE_TAG = 2


@pytest.mark.parametrize("hermes", [False, True], ids=["tools", "tool_call"])
def test_cut_off_anywhere(client: OpenAI, draw: Draw, hermes: bool) -> None:
    exchange = draw(shapes.read_request, hermes=hermes)
    length = chat.create(client, exchange).usage.completion_tokens

    def both(limit: int) -> tuple[Answer, Answer]:
        return chat.ask(client, exchange, max_tokens=limit), chat.stream(client, exchange, max_tokens=limit)

    with ThreadPoolExecutor(8) as pool:
        pairs = list(pool.map(both, range(1, length)))
    found = [_checked(exchange, whole, stream) for whole, stream in pairs]
    assert found == sorted(found) and set(found) == set(CutIn)


def _checked(exchange: Exchange, whole: Answer, stream: Answer) -> CutIn:
    if whole.calls:
        assert whole.calls == stream.calls == exchange.calls
        # A lone "<" is not yet a tag.
        assert whole.content == stream.content and whole.content in ("", "<")
        # vLLM 0.32 tells the two apart.
        assert (whole.finish_reason, stream.finish_reason) == ("tool_calls", "length")
        return CutIn.CLOSE_TAG
    assert whole.finish_reason == stream.finish_reason == "length"
    assert whole.content and exchange.raw.startswith(whole.content)
    if whole == stream:
        return CutIn.HEAD
    # The one permitted difference: what has been streamed of a call cannot be taken back.
    (unfinished,), (call,) = stream.calls, exchange.calls
    assert not stream.content
    assert unfinished.name == call.name
    assert call.arguments.startswith(unfinished.arguments)
    assert whole.content.rstrip("}").endswith(unfinished.arguments.rstrip("}"))
    return CutIn.ARGUMENTS
