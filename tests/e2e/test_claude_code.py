# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claude Code does its work by the settings that our role has written, through vLLM's own Anthropic Messages API.

Its tools are not the pocket model's, so that the model that calls them is scripted.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import npm
from tests.bench.server import Server

from . import clients_play
from .claude_code import ClaudeCode
from .scripted import RIGHT, WRONG, Drawn, Serve, request
from .session import Session

pytestmark = pytest.mark.agents

Settings = dict[str, Any]


def write(server: Server, agent: ClaudeCode, **settings: Any) -> int:
    given = {"clients_write": ["claude_code"], "clients_claude_code_path": str(agent.settings), **settings}
    return clients_play.write(server, agent.settings, **given).returncode


@pytest.fixture
def agent(tmp_path: Path) -> ClaudeCode:
    """Nothing is written yet."""
    project = tmp_path / "project"
    project.mkdir()
    return ClaudeCode(npm.claude_code(), tmp_path, project, "")


@pytest.fixture(scope="module")
def settings(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """What the role writes for the good server."""
    agent = ClaudeCode(npm.claude_code(), tmp_path_factory.mktemp("home"), Path(), "")
    assert write(serve(RIGHT), agent, clients_profile=RIGHT.served()) == 0
    written: Settings = json.loads(agent.settings.read_text())
    return written


@pytest.fixture
def worker(agent: ClaudeCode, serve: Serve, settings: Settings) -> ClaudeCode:
    """With the role's settings."""
    return with_settings(agent, settings, serve(RIGHT).api_key)


def with_settings(agent: ClaudeCode, settings: Settings, api_key: str) -> ClaudeCode:
    agent.settings.parent.mkdir(exist_ok=True)
    agent.settings.write_text(json.dumps(settings))
    return replace(agent, api_key=api_key)


def made(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """The calls that were made and have worked, in its own record; what went wrong is shown."""
    print(session)
    assert session.error == ""
    assert {use.status for use in session.uses} == {"completed"}
    return [(use.tool, use.input) for use in session.uses]


def test_runs_a_command_and_tells_what_it_says(worker: ClaudeCode, drawn: Drawn) -> None:
    name, copy, code = drawn.name(), drawn.name(), drawn.code()
    (worker.project / name).write_text(code + "\n")
    call = {"command": f"cat {name} | tee {copy}", "description": "Copy it"}
    session = worker.ask(request("Bash", **call))
    assert made(session) == [("Bash", call)]
    assert (worker.project / copy).read_text() == code + "\n"
    assert session.texts == (drawn.said(code),)


def test_reads_a_file_and_edits_it(worker: ClaudeCode, drawn: Drawn) -> None:
    """Two messages of one session: it edits only what it has read."""
    file, code, old, new = worker.project / drawn.coded_name(), drawn.code(), drawn.word(), drawn.word()
    file.write_text(f"{code}\n{old}\n")
    session = worker.ask(request("Read", file_path=str(file)))
    assert made(session) == [("Read", {"file_path": str(file)})]
    assert code in session.texts[0]
    edit = {"file_path": str(file), "old_string": old, "new_string": new}
    assert made(worker.ask(request("Edit", **edit), "--continue"))[0][0] == "Edit"
    assert file.read_text() == f"{code}\n{new}\n"


def test_writes_a_file(worker: ClaudeCode, drawn: Drawn) -> None:
    file, word = worker.project / drawn.coded_name(), drawn.word()
    call = {"file_path": str(file), "content": word}
    assert made(worker.ask(request("Write", **call))) == [("Write", call)]
    assert file.read_text() == word


@pytest.mark.parametrize(
    ("change", "observed"),
    [
        pytest.param({"ANTHROPIC_MODEL": "rocket"}, "rocket", id="wrong_name"),
        pytest.param({"ANTHROPIC_BASE_URL": "{}/v1"}, "issue with the selected model", id="with_v1"),
    ],
)
def test_wrong_settings(
    agent: ClaudeCode, serve: Serve, settings: Settings, change: dict[str, str], observed: str
) -> None:
    changed = {name: value.format(settings["env"]["ANTHROPIC_BASE_URL"]) for name, value in change.items()}
    wrong = {**settings, "env": {**settings["env"], **changed}}
    session = with_settings(agent, wrong, serve(RIGHT).api_key).ask("Say hello.")
    print(session)
    assert observed in session.error


def test_without_a_key(agent: ClaudeCode, settings: Settings) -> None:
    session = with_settings(agent, settings, "").ask("Say hello.")
    print(session)
    assert "apiKeyHelper script is failing" in session.error


def test_a_server_with_the_wrong_parser(agent: ClaudeCode, serve: Serve, settings: Settings, drawn: Drawn) -> None:
    """The call arrives as text, and Claude Code does nothing; the role writes no file for such a server."""
    server, file = serve(WRONG), agent.project / drawn.name()
    assert write(server, agent, clients_profile=WRONG.served()) == 2
    assert not agent.settings.exists()
    there = {**settings["env"], "ANTHROPIC_BASE_URL": server.url.removesuffix("/v1")}
    session = with_settings(agent, {**settings, "env": there}, server.api_key).ask(
        request("Write", file_path=str(file), content="text")
    )
    print(session)
    assert session.error == "" and not session.uses
    assert "<tools>" in session.texts[0] and str(file) in session.texts[0]
    assert not file.exists()


def test_it_compacts_where_the_role_says(agent: ClaudeCode, serve: Serve, drawn: Drawn) -> None:
    """A request of its own has 49,000 tokens here, which are bytes, and each of these results 8,000 more."""
    context, output = 60000, 512
    limits = {"clients_context": context, "clients_output": output, "clients_agent_prompt": 300}
    assert write(serve(RIGHT), agent, clients_profile=RIGHT.served(), clients_check_tool_calls=False, **limits) == 0
    worker = replace(agent, api_key=serve(RIGHT).api_key)
    compacted = []
    for continued in ([], ["--continue"]):
        name, code = drawn.name(), drawn.code()
        (worker.project / name).write_text(f"{code}\n{'some words here ' * 500}")
        session = worker.ask(request("Bash", command=f"cat {name}", description="Look"), *continued)
        print(session.error, session.texts)
        compacted.append(worker.compactions())
    assert compacted == [0, 1]


def test_an_answer_longer_than_the_context(agent: ClaudeCode, agents_server: Server, settings: Settings) -> None:
    """Real weights with 2048 tokens: without the limit that the role writes it asks for 32000."""
    model = {name: "pocket" for name in settings["env"] if name.endswith("_MODEL")}
    there = {"ANTHROPIC_BASE_URL": agents_server.url.removesuffix("/v1"), "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "512"}
    right = {**settings["env"], **model, **there}
    session = with_settings(agent, {**settings, "env": right}, agents_server.api_key).ask("Say hello.")
    print(session)
    assert session.error == "" and session.texts
    del right["CLAUDE_CODE_MAX_OUTPUT_TOKENS"]
    session = with_settings(agent, {**settings, "env": right}, agents_server.api_key).ask("Say hello.")
    print(session)
    assert "max_completion_tokens=32000 cannot be greater than max_model_len=2048" in session.error
