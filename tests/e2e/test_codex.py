# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codex does its work by the profile that our role has written, through vLLM's own Responses API.

Its tools are not the pocket model's, so that the model that calls them is scripted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import npm
from tests.bench.server import Server

from . import clients_play
from .codex import Codex
from .scripted import GPT_OSS, RIGHT, WRONG, Drawn, Serve, request
from .session import Session

pytestmark = pytest.mark.agents

Change = Callable[[str], str]


def write(server: Server, agent: Codex, **settings: Any) -> int:
    given = {"clients_write": ["codex"], "clients_codex_path": str(agent.profile), **settings}
    return clients_play.write(server, agent.profile, **given).returncode


@pytest.fixture
def agent(tmp_path: Path) -> Codex:
    """Nothing is written yet."""
    project = tmp_path / "project"
    project.mkdir()
    return Codex(npm.codex(), tmp_path, project, "")


@pytest.fixture(scope="module")
def profile(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the role writes for the good server."""
    agent = Codex(npm.codex(), tmp_path_factory.mktemp("home"), Path(), "")
    assert write(serve(RIGHT), agent, clients_profile=RIGHT.served()) == 0
    return agent.profile.read_text()


@pytest.fixture
def worker(agent: Codex, serve: Serve, profile: str) -> Codex:
    """With the role's profile."""
    return with_profile(agent, profile, serve(RIGHT).api_key)


def with_profile(agent: Codex, profile: str, api_key: str) -> Codex:
    agent.profile.parent.mkdir()
    agent.profile.write_text(profile)
    return replace(agent, api_key=api_key)


def made(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """The calls that were made, in its own record; what went wrong is shown."""
    print(session)
    assert session.error == ""
    return [(use.tool, use.input) for use in session.uses]


def test_runs_a_command_and_tells_what_it_says(worker: Codex, drawn: Drawn) -> None:
    name, copy, code = drawn.name(), drawn.name(), drawn.code()
    (worker.project / name).write_text(code + "\n")
    command = f"cat {name} | tee {copy}"
    session = worker.ask(request("exec_command", cmd=command))
    assert made(session) == [("exec_command", {"cmd": command})]
    assert code in session.uses[0].output
    assert (worker.project / copy).read_text() == code + "\n"
    assert session.texts == (drawn.said(code),)


def test_edits_a_file(worker: Codex, drawn: Drawn) -> None:
    name, old, new = drawn.coded_name(), drawn.word(), drawn.word()
    (worker.project / name).write_text(f"--\n{old}\n--\n")
    patch = f"*** Begin Patch\n*** Update File: {name}\n@@\n-{old}\n+{new}\n*** End Patch"
    command = f"apply_patch <<'EOF'\n{patch}\nEOF"
    session = worker.ask(request("exec_command", cmd=command))
    assert made(session) == [("exec_command", {"cmd": command})]
    assert (worker.project / name).read_text() == f"--\n{new}\n--\n"


@pytest.mark.parametrize(
    ("change", "observed"),
    [
        pytest.param(lambda text: text.replace("qwen2.5-coder", "rocket"), "does not exist", id="wrong_name"),
        pytest.param(lambda text: text.replace("/v1", ""), "404", id="without_v1"),
        pytest.param(lambda text: text.replace("env_key", "# env_key"), "401", id="no_key"),
    ],
)
def test_a_wrong_profile(agent: Codex, serve: Serve, profile: str, change: Change, observed: str) -> None:
    session = with_profile(agent, change(profile), serve(RIGHT).api_key).ask("Say hello.")
    print(session)
    assert observed in session.error
    assert not session.texts


def test_a_server_with_the_wrong_parser(agent: Codex, serve: Serve, profile: str, drawn: Drawn) -> None:
    """The call arrives as text, and Codex does nothing; the role writes no profile for such a server."""
    server, copy = serve(WRONG), drawn.name()
    assert write(server, agent, clients_profile=WRONG.served()) == 2
    assert not agent.profile.exists()
    worker = with_profile(agent, profile.replace(serve(RIGHT).url, server.url), server.api_key)
    session = worker.ask(request("exec_command", cmd=f"touch {copy}"))
    print(session)
    assert session.error == "" and not session.uses
    assert "<tools>" in session.texts[0] and copy in session.texts[0]
    assert not (worker.project / copy).exists()


def test_gpt_oss_takes_no_tools_of_type_namespace(agent: Codex, serve: Serve, drawn: Drawn) -> None:
    """vLLM's answer to those that Codex offers unless its profile says no."""
    server, copy = serve(GPT_OSS), drawn.coded_name()
    assert write(server, agent, clients_profile=GPT_OSS.served()) == 0
    worker = replace(agent, api_key=server.api_key)
    call = {"cmd": f"touch {copy}; ls"}
    assert made(worker.ask(request("exec_command", **call))) == [("exec_command", call)]
    assert (worker.project / copy).exists()
    worker.profile.write_text(worker.profile.read_text().replace("enabled = false", "enabled = true"))
    assert "tool type 'namespace' is not supported" in worker.ask("Say hello.").error


def test_real_weights_answer(agent: Codex, agents_server: Server) -> None:
    assert write(agents_server, agent, clients_check_tool_calls=False) == 0
    session = replace(agent, api_key=agents_server.api_key).ask("Say hello.")
    assert (session.error, session.texts) == ("", ("Hello!",))


@pytest.mark.parametrize(("change", "status"), [(str, "ok"), (lambda text: f"modell = 1\n{text}", "warning")])
def test_its_own_doctor(worker: Codex, change: Change, status: str) -> None:
    """Which looks at config.toml only."""
    (worker.home / ".codex/config.toml").write_text(change(worker.profile.read_text()))
    checks = worker.doctor()
    print(checks["config.load"])
    assert checks["config.load"]["status"] == status
    assert checks["config.load"]["details"]["model provider"] == "vllm"
    assert checks["auth.credentials"]["status"] == "ok"
