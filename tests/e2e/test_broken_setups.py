# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate closes on each set-up that is broken, and the first cause that it names is the true one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import docker
import pytest
from openai import OpenAI

from tests.bench import server as bench
from tests.bench.server import Server

from . import proxy
from .verification import Verification, verify

_BROKEN = {Path(__file__).parent / "broken": "/opt/broken"}
_TOOL_FLAGS = ("--enable-auto-tool-choice", "--tool-call-parser", "--tool-parser-plugin")
# An agent of today's asks for that much unless it is told a limit.
_AGENTS_MAX_TOKENS = 32000
# One measurement is enough where it is not the figures that count.
_SHORT = {"verify_throughput_concurrency": [1], "verify_throughput_output_tokens": 32}
_CALLS_ONLY = {"verify_throughput": False}


def test_the_good_one_passes_and_leaves_evidence(server: Server, tmp_path: Path) -> None:
    result = verify(tmp_path, server.url, server.api_key)
    assert result.exit_code == 0
    assert result.evidence["causes"] == []
    # With the tools switched off it writes a call all the same, as text: the tests want that of it.
    assert (result.evidence["verdict"], result.evidence["throughput"]["verdict"]) == ("warn", "pass")
    assert "T3-read" in result.output and "tokens/s" in result.output
    assert set(result.files) == {"localhost.json", "localhost.junit.xml", "localhost.md"}
    assert "| T3-read |" in result.files["localhost.md"]
    assert not list(ElementTree.fromstring(result.files["localhost.junit.xml"].partition("\n")[2]).iter("failure"))


def test_a_wrong_key(server: Server, tmp_path: Path) -> None:
    result = verify(tmp_path, server.url, "canary-of-a-wrong-key")
    _refused(result, "the one given is missing or wrong")


def test_a_wrong_model_name(server: Server, tmp_path: Path) -> None:
    result = verify(tmp_path, server.url, server.api_key, verify_profile={"served_name": "rocket"})
    _refused(result, "The server serves pocket and no other name")


@pytest.mark.parametrize(
    ("context", "cause"),
    [
        ({"maximum": 65536, "output": 4096}, "the profile promises clients 65536 tokens, and the server has 2048"),
        ({"maximum": 2048, "output": _AGENTS_MAX_TOKENS}, "an answer of 32000 tokens in a context of 2048"),
    ],
    ids=["maximum", "output"],
)
def test_clients_are_promised_what_the_context_does_not_hold(
    server: Server, tmp_path: Path, context: dict[str, int], cause: str
) -> None:
    result = verify(tmp_path, server.url, server.api_key, verify_profile={"context": context}, **_CALLS_ONLY)
    _refused(result, cause)


def test_the_max_tokens_of_an_agent(server: Server, tmp_path: Path) -> None:
    with proxy.before(server.url, request=lambda body: body | {"max_tokens": _AGENTS_MAX_TOKENS}) as url:
        result = verify(tmp_path, url, server.api_key, **_CALLS_ONLY)
    _refused(result, "do not fit into the context")


def test_a_stream_that_breaks_off(server: Server, tmp_path: Path) -> None:
    with proxy.before(server.url, stream=proxy.cut_after(3)) as url:
        result = verify(tmp_path, url, server.api_key)
    _refused(result, "Streaming does not work from end to end")


def test_a_slow_server(server: Server, tmp_path: Path) -> None:
    with proxy.before(server.url, stream=proxy.slowed_by(0.02)) as url:  # no more than 50 tokens/s
        result = verify(tmp_path, url, server.api_key, verify_minimum_tokens_per_second=60, **_SHORT)
    assert result.evidence["tool_calls"]["passed"]
    _refused(result, "The server is too slow for its purpose")


def test_another_client_loads_the_server(server: Server, client: OpenAI, tmp_path: Path) -> None:
    with _others_at_work(client):
        result = verify(tmp_path, server.url, server.api_key, **_SHORT)
    assert result.evidence["throughput"]["verdict"] == "inconclusive"
    _refused(result, "Others use this server at the same time", verdict="inconclusive")


@pytest.mark.starts_server
@pytest.mark.parametrize(
    ("command", "cause"),
    [
        pytest.param(
            lambda: [*bench.arguments(), "--tool-call-parser", "hermes"],
            "parser does not read the format that the model writes (<tools>",
            id="hermes_on_tools",
        ),
        pytest.param(lambda: _without_tool_flags(), "started without tool calling", id="no_tool_flags"),
        pytest.param(
            lambda: [*bench.arguments(), "--chat-template", "/opt/broken/no_tools.jinja"],
            "The chat template ignores tools",
            id="template_without_tools",
        ),
        pytest.param(
            lambda: [
                *(*bench.arguments(), "--tool-call-parser", "naive_tools"),
                *("--tool-parser-plugin", "/opt/broken/naive_tools.py"),
            ],
            "The streaming half of the server's tool call parser loses calls",
            id="nothing_in_streams",
        ),
        pytest.param(
            lambda: [*bench.arguments(), "--max-model-len", "256"],
            "may be as long as the whole context",
            id="short_context",
        ),
        pytest.param(
            lambda: [*bench.arguments(), "--override-generation-config", json.dumps({"max_new_tokens": 8})],
            "allows fewer tokens than were asked for",
            id="enforced_truncation",
        ),
    ],
)
def test_a_server_started_wrong(
    engine_client: docker.DockerClient, tmp_path: Path, command: Callable[[], list[str]], cause: str
) -> None:
    with bench.serving_pocket_model(engine_client, command(), _BROKEN) as broken:
        result = verify(tmp_path, broken.url, broken.api_key, **_CALLS_ONLY)
    _refused(result, cause)


@pytest.mark.starts_server
def test_a_server_that_dies_at_its_start(engine_client: docker.DockerClient, tmp_path: Path) -> None:
    container = bench.create(engine_client, "a-canary-key", [*bench.arguments(), "--max-model-len", "65536"])
    try:
        container.start()
        url = f"{bench.address_of(container)}/v1"
        result = verify(tmp_path, url, "a-canary-key", verify_container=container.name, verify_wait_seconds=900)
    finally:
        container.remove(force=True, v=True)
    _refused(result, "65536")
    # Neither that nothing listens now, nor that there is no GPU, which it was not given.
    assert len(result.evidence["causes"]) == 1


def _refused(result: Verification, cause: str, verdict: str = "fail") -> None:
    """The play fails, and names this first, in its evidence and on the terminal."""
    assert (result.exit_code, result.evidence["verdict"]) == (2, verdict)
    assert cause in result.first_cause
    told = " ".join(result.output.split())
    first = result.evidence["causes"][0]
    assert [first[part] for part in ("symptom", "cause", "fix") if " ".join(first[part].split()) not in told] == []


def _without_tool_flags() -> list[str]:
    command = bench.arguments()
    for flag in _TOOL_FLAGS:
        at = command.index(flag)
        del command[at : at + 1 + (not command[at + 1].startswith("--"))]
    return command


@contextmanager
def _others_at_work(client: OpenAI) -> Iterator[None]:
    """Clients that always have a request under way: their lengths differ, so that one begins while another goes on."""
    done = threading.Event()

    def work(tokens: int) -> None:
        request: dict[str, Any] = {"model": "pocket", "prompt": "On and on", "max_tokens": tokens, "stream": True}
        while not done.is_set():
            with client.completions.create(**request, extra_body={"ignore_eos": True}) as stream:
                for _chunk in stream:
                    if done.is_set():
                        break

    threads = [threading.Thread(target=work, args=(tokens,)) for tokens in (1100, 1700)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
