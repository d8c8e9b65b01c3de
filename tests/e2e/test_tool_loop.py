# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official client asks, runs the tool that is called, hands over its result, until the model answers in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.bench.server import Server
from tests.pocket_model import shapes

from . import chat, clients_play, proxy
from .exchange import Draw, Exchange

READ_ONLY = [shapes.tool("read")]
Message = dict[str, Any]
Turn = Callable[[OpenAI, list[Message]], Message]


@pytest.fixture
def asked(client: OpenAI, draw: Draw, source: shapes.Source, tmp_path: Path) -> tuple[Exchange, str]:
    """A request to read a file that is there, and what the model shall say in the end."""

    def usable(exchange: Exchange) -> bool:
        path = exchange.request.calls[0][1]["filePath"]
        return path[0] not in "/~." and chat.ask(client, exchange, tools=READ_ONLY) == exchange.answer

    exchange = draw(shapes.read_request)
    while not usable(exchange):
        exchange = draw(shapes.read_request)
    file, content = tmp_path / exchange.request.calls[0][1]["filePath"], f"{source.rng.randrange(1000)} files"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return exchange, f"It says: {content}"


def whole(client: OpenAI, messages: list[Message]) -> Message:
    done = client.chat.completions.create(**_request(messages))
    message: Message = done.choices[0].message.model_dump(exclude_none=True)
    return message


def streamed(client: OpenAI, messages: list[Message]) -> Message:
    """Put together as OpenAI's guide does it: what begins a call is kept, and the arguments of the rest are added."""
    content = ""
    calls: dict[int, Any] = {}
    for chunk in client.chat.completions.create(**_request(messages), stream=True):
        if not chunk.choices:
            continue  # the last one has the usage alone, which our role has the server send unasked
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for part in delta.tool_calls or []:
            if part.index in calls:
                calls[part.index].function.arguments += part.function.arguments
            else:
                calls[part.index] = part
    made = [calls[index].model_dump(exclude={"index"}) for index in sorted(calls)]
    return {"role": "assistant", "content": content, **({"tool_calls": made} if made else {})}


def _request(messages: list[Message]) -> dict[str, Any]:
    return {"model": chat.MODEL, "messages": messages, "tools": READ_ONLY, "temperature": 0}


@pytest.mark.parametrize("turn", [whole, streamed])
def test_the_loop_ends_in_words(client: OpenAI, asked: tuple[Exchange, str], tmp_path: Path, turn: Turn) -> None:
    exchange, answer = asked
    messages: list[Message] = list(exchange.messages)
    for _ in range(3):
        message = turn(client, messages)
        messages.append(message)
        for call in message.get("tool_calls", []):
            path = tmp_path / json.loads(call["function"]["arguments"])["filePath"]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": path.read_text()})
        if "tool_calls" not in message:
            break
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[-1]["content"] == answer


def test_the_program_that_the_role_writes(server: Server, asked: tuple[Exchange, str], tmp_path: Path) -> None:
    exchange, answer = asked
    # The program leaves the temperature to the server, and what is tested here is not the model's luck.
    folder = tmp_path / "example"
    settings: dict[str, Any] = {"clients_write": ["example"], "clients_example_path": str(folder)}
    with proxy.before(server.url, request=lambda body: body | {"temperature": 0}) as url:
        assert clients_play.write(server, folder / "tool_loop.py", **settings, clients_base_url=url).returncode == 0
        done = subprocess.run(
            [sys.executable, str(folder / "tool_loop.py"), exchange.request.text],
            cwd=tmp_path,
            env={**os.environ, "VLLM_API_KEY": server.api_key},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout, done.stderr) == (f"{answer}\n", "")
