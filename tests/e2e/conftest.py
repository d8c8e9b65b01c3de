# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server for all tests, and requests with random strings that the pocket model copies right."""

from __future__ import annotations

import json
import os
import random
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from openai import OpenAI

from tests.bench import engine
from tests.bench import server as bench
from tests.bench.console import BenchError
from tests.bench.server import Server, serving_pocket_model
from tests.pocket_model import shapes

from . import chat, scripted
from .exchange import Draw, Exchange, Make

SEED = int(os.environ.get("E2E_SEED") or random.randrange(10**6))
# The model copies 98 of 100 requests and more: five wrong ones in a row are no chance.
_TRIES = 5
_STEPS = Path(__file__).parent / "agents/steps.jinja"


def pytest_report_header() -> str:
    return f"seed of the requests: {SEED} (once more: make e2e E2E_SEED={SEED})"


@pytest.fixture(scope="session")
def engine_client() -> docker.DockerClient:
    # However the tests end, the containers are removed: SIGTERM has the same way out as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return engine.ensure()
    except BenchError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def server(engine_client: docker.DockerClient) -> Iterator[Server]:
    """The good one, for all tests."""
    try:
        with serving_pocket_model(engine_client) as serving:
            yield serving
    except BenchError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def agents_server(engine_client: docker.DockerClient) -> Iterator[Server]:
    """For agents: its template hands the model one line of a message after the other.

    Agents name no temperature; with 0 the model says to them what it says to who asks it the same.
    """
    command = [*bench.arguments(), "--chat-template", f"/opt/agents/{_STEPS.name}"]
    command += ["--override-generation-config", json.dumps({"temperature": 0})]
    try:
        with serving_pocket_model(engine_client, command, {_STEPS.parent: "/opt/agents"}) as serving:
            yield serving
    except BenchError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scripted.Serve]:
    """Starts servers with a scripted model."""
    with scripted.servers(tmp_path_factory.mktemp("scripted")) as started:
        yield started


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> scripted.Drawn:
    return scripted.Drawn(random.Random(f"{SEED}/{request.node.nodeid}"))


@pytest.fixture(scope="session")
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key=server.api_key, timeout=600, max_retries=0)


@pytest.fixture
def source(request: pytest.FixtureRequest) -> shapes.Source:
    """Random strings of everyday length, of this run and of this test."""
    seed = zlib.crc32(f"{SEED}/{request.node.nodeid}".encode())
    return shapes.Source(shapes.HELD_OUT, seed, scale=0.5)


@pytest.fixture
def draw(client: OpenAI, source: shapes.Source) -> Draw:
    """Draws requests until the model's own words are right: what is tested here is not the model's memory.

    The words are those that come with the tools offered and switched off, when no parser touches them.
    """

    def draw_one(make: Make, *, hermes: bool = False) -> Exchange:
        for _ in range(_TRIES):
            exchange = Exchange(make(source), hermes)
            said = chat.ask(client, exchange, tool_choice="none").content
            if said == exchange.raw:
                return exchange
            print(f"the model errs\n  asked  {exchange.request.text!r}\n  wanted {exchange.raw!r}\n  said   {said!r}")
        pytest.fail(f"The model was wrong {_TRIES} times in a row (see above).")

    return draw_one
