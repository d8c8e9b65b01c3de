# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenCode does with a wrong file, as it was seen, and that our checker says so before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.bench import npm
from tests.bench import server as bench
from tests.bench.server import Server

from . import clients_play, proxy
from .opencode import OpenCode

pytestmark = pytest.mark.opencode

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def agent(agents_server: Server, tmp_path: Path) -> OpenCode:
    """With the role's file in its project, which wins over the one in its home."""
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    (project / "notes.txt").write_text("hello from the garden\n")
    return OpenCode(npm.opencode(), home, project, agents_server.api_key)


def right_file(url: str) -> dict[str, Any]:
    """What the role writes; that it does is test_opencode's and this file's last tests' matter."""
    model = {"name": "pocket", "tool_call": True, "reasoning": False, "limit": {"context": 1792, "output": 512}}
    options = {"baseURL": url, "apiKey": "{env:VLLM_API_KEY}"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"pocket": model}}
    return {"model": "vllm/pocket", "provider": {"vllm": provider}}


def entry(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["provider"]["vllm"]["models"]["pocket"]
    return found


@pytest.mark.parametrize(
    ("change", "observed", "predicted"),
    [
        pytest.param(
            lambda document: entry(document).pop("limit"),
            "max_tokens=32000 cannot be greater than max_model_len=2048",
            "limit is missing",
            id="no_limit",
        ),
        pytest.param(
            lambda document: entry(document).update(limit={"context": 65536, "output": 32000}),
            "max_tokens=32000 cannot be greater than max_model_len=2048",
            "limit.output is 32000, and the server holds 2048",
            id="limit_above_the_server",
        ),
        pytest.param(
            lambda document: entry(document)["limit"].pop("output"),
            "Missing key provider.vllm.models.pocket.limit.output",
            "limit.output is missing",
            id="half_a_limit",
        ),
        pytest.param(
            lambda document: entry(document).update(id="rocket"),
            "The model `rocket` does not exist",
            "the file asks for rocket, and the server serves pocket",
            id="wrong_name",
        ),
        pytest.param(
            lambda document: document["provider"]["vllm"]["options"].update(
                baseURL=document["provider"]["vllm"]["options"]["baseURL"].removesuffix("/v1")
            ),
            "Not Found",
            "without /v1",
            id="without_v1",
        ),
        pytest.param(
            lambda document: document["provider"]["vllm"]["options"].pop("apiKey"),
            "Unauthorized",
            "apiKey is missing",
            id="no_key",
        ),
    ],
)
def test_a_wrong_file(agent: OpenCode, agents_server: Server, change: Change, observed: str, predicted: str) -> None:
    document = right_file(agents_server.url)
    change(document)
    file = agent.project / "opencode.json"
    file.write_text(json.dumps(document))
    first, *_others = clients_play.checked(file, agents_server.api_key)
    assert predicted in first["symptom"]
    session = agent.ask("Read the file notes.txt", "--model", "vllm/pocket")
    print(session)
    assert observed in session.error
    assert not session.uses


@pytest.mark.parametrize("reasoning", [True, False])
def test_reasoning_is_said_of_a_model_that_does_not(agent: OpenCode, agents_server: Server, reasoning: bool) -> None:
    """OpenCode 1.18 asks for an effort then; vLLM 0.32 ignores that, so that nothing fails here."""
    with _recorded(agents_server.url) as (url, requests):
        document = right_file(url)
        entry(document)["reasoning"] = reasoning
        file = agent.project / "opencode.json"
        file.write_text(json.dumps(document))
        causes = clients_play.checked(file, agents_server.api_key)
        session = agent.ask("Read the file notes.txt", "--variant", "high")
    assert [use.status for use in session.uses] == ["completed"]
    assert [cause["symptom"] for cause in causes if "reasoning is true" in cause["symptom"]] == (
        [cause["symptom"] for cause in causes] if reasoning else []
    )
    assert bool(causes) is reasoning
    assert {"high" for request in requests if request.get("reasoning_effort") == "high"} == (
        {"high"} if reasoning else set()
    )


def test_a_server_with_the_wrong_parser(engine_client: docker.DockerClient, agent: OpenCode) -> None:
    """The call arrives as text, and OpenCode does nothing; the role writes no file for such a server."""
    command = [*bench.arguments(), "--tool-call-parser", "hermes"]
    with bench.serving_pocket_model(engine_client, command) as broken:
        refused = agent.home / "refused" / "opencode.json"
        done = clients_play.write(broken, refused)
        assert done.returncode == 2
        assert not refused.exists()
        assert "parser does not read the format that the model writes" in " ".join(done.stdout.split())
        (agent.project / "opencode.json").write_text(json.dumps(right_file(broken.url)))
        session = OpenCode(agent.program, agent.home, agent.project, broken.api_key).ask("Read the file notes.txt")
    print(session)
    assert session.error == "" and not session.uses
    assert session.texts == ('<tools>{"name": "read", "arguments": {"filePath": "notes.txt"}}</tools>',)


USERS = """{
  // my own
  "$schema": "https://opencode.ai/config.json",
  "username": "somebody", // as the others call me
  "provider": {
    "vllm": {
      "models": {
        "pocket": { "name": "My model", "limit": { "context": 200000, "output": 64000 } },
      },
    },
    "mine": { "npm": "@ai-sdk/openai-compatible", "options": { "baseURL": "http://127.0.0.1:9/v1" }, "models": {} },
  },
}
"""


def test_a_file_with_comments_is_merged_and_works(agent: OpenCode, agents_server: Server) -> None:
    file = agent.project / "opencode.json"
    file.write_text(USERS)
    assert clients_play.write(agents_server, file).returncode == 0
    first = file.read_bytes()
    assert "changed=0" in clients_play.write(agents_server, file).stdout
    assert file.read_bytes() == first
    for kept in ("// my own", "// as the others call me", '"mine": { "npm"', '"name": "My model"'):
        assert kept in first.decode()
    resolved = agent.resolved()
    assert resolved["username"] == "somebody" and "mine" in resolved["provider"]
    assert entry(resolved)["name"] == "My model"
    assert entry(resolved)["limit"] == {"context": 1792, "output": 512}
    assert clients_play.checked(file, agents_server.api_key) == []
    session = agent.ask("Read the file notes.txt")
    assert [(use.tool, use.status) for use in session.uses] == [("read", "completed")]


@contextmanager
def _recorded(url: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A way to the server, and the requests that have gone along it."""
    requests: list[dict[str, Any]] = []

    def note(body: dict[str, Any]) -> dict[str, Any]:
        requests.append(body)
        return body

    with proxy.before(url, request=note) as address:
        yield address, requests
