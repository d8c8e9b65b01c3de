# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCode does its work with real vLLM by the file that our role has written.

Each task is proven twice: by what is on the disk afterwards, and by the session that OpenCode has recorded.
"""

from __future__ import annotations

import json
import os
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import OpenAI

from tests.bench import npm
from tests.bench.server import Server
from tests.pocket_model import shapes

from . import clients_play
from .conftest import SEED
from .opencode import TOOLS, OpenCode
from .session import Session

pytestmark = [pytest.mark.agents, pytest.mark.opencode]

_TIMES = int(os.environ.get("E2E_TIMES") or 10)
_TRIES = 8  # of requests until there is one that the model, asked directly, copies right


@pytest.fixture(scope="module")
def home(agents_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with nothing but what the role has written."""
    home = tmp_path_factory.mktemp("home")
    done = clients_play.write(agents_server, home / ".config/opencode/opencode.json")
    assert done.returncode == 0
    return home


@pytest.fixture
def agent(agents_server: Server, home: Path, tmp_path: Path) -> OpenCode:
    return OpenCode(npm.opencode(), home, tmp_path, agents_server.api_key)


@dataclass(frozen=True)
class Files:
    """Random names and words, of this run and of this test."""

    source: shapes.Source

    def name(self) -> str:
        return f"{self.word()}.txt"

    def word(self) -> str:
        return self.source.characters(string.ascii_lowercase, 6)

    def words(self) -> str:
        return self.source.words(1, 3)


@pytest.fixture
def files(request: pytest.FixtureRequest) -> Files:
    return Files(shapes.Source(shapes.HELD_OUT, zlib.crc32(f"{SEED}/{request.node.nodeid}".encode()), scale=0.5))


@pytest.fixture
def client(agents_server: Server) -> OpenAI:
    return OpenAI(base_url=agents_server.url, api_key=agents_server.api_key, timeout=600, max_retries=0)


Expected = tuple[tuple[str, dict[str, str]], ...]


@pytest.fixture
def copied_right(client: OpenAI) -> Callable[[str, Expected], bool]:
    """Whether the model itself makes these calls of these lines: what is tested here is not its memory."""

    def asked(line: str, call: tuple[str, dict[str, str]]) -> bool:
        done = client.chat.completions.create(
            model="pocket",
            messages=[{"role": "user", "content": line}],
            tools=[shapes.tool(name) for name in TOOLS],  # type: ignore[misc]
            temperature=0,
        )
        calls = done.choices[0].message.tool_calls or []
        made = [(one.function.name, json.loads(one.function.arguments)) for one in calls if one.type == "function"]
        if made != [call]:
            print(f"the model errs\n  asked  {line!r}\n  wanted {call}\n  made   {made}")
        return made == [call]

    return lambda lines, calls: all(asked(*one) for one in zip(lines.split("\n"), calls, strict=True))


@pytest.mark.parametrize("time", range(_TIMES))
def test_reads_a_file(agent: OpenCode, files: Files, copied_right: Callable[..., bool], time: int) -> None:
    for _ in range(_TRIES):
        name, words = files.name(), files.words()
        calls: Expected = (("read", {"filePath": name}),)
        if copied_right(f"Read the file {name}", calls):
            break
    (agent.project / name).write_text(words + "\n")
    session = agent.ask(f"Read the file {name}")
    assert _made(session) == calls
    assert f"1: {words}\n" in session.uses[0].output  # only from the disk can it have that


@pytest.mark.parametrize("time", range(_TIMES))
def test_runs_a_command(agent: OpenCode, files: Files, copied_right: Callable[..., bool], time: int) -> None:
    for _ in range(_TRIES):
        name, word = files.name(), files.word()
        command = f"echo {word} > {name}"
        calls: Expected = (("bash", {"command": command, "description": shapes.RUN_DESCRIPTION}),)
        if copied_right(f"Run the command: {command}", calls):
            break
    session = agent.ask(f"Run the command: {command}")
    assert _made(session) == calls
    assert (agent.project / name).read_text() == f"{word}\n"


@pytest.mark.parametrize("time", range(_TIMES))
def test_edits_a_file(agent: OpenCode, files: Files, copied_right: Callable[..., bool], time: int) -> None:
    for _ in range(_TRIES):
        name, old, new = files.name(), files.words(), files.words()
        request = f"Replace {old} with {new} in the file {name}"
        calls: Expected = (("edit", {"filePath": name, "oldString": old, "newString": new}),)
        if copied_right(request, calls):
            break
    (agent.project / name).write_text(f"--\n{old}\n--\n")
    session = agent.ask(request)
    assert _made(session) == calls
    assert (agent.project / name).read_text() == f"--\n{new}\n--\n"


@pytest.mark.parametrize("time", range(_TIMES))
def test_writes_what_it_has_read(agent: OpenCode, files: Files, copied_right: Callable[..., bool], time: int) -> None:
    for _ in range(_TRIES):
        name, copy, words = files.name(), files.name(), files.words()
        calls: Expected = (("read", {"filePath": name}), ("write", {"filePath": copy, "content": words}))
        if copied_right(f"Read the file {name}\nWrite {words} to the file {copy}", calls):
            break
    (agent.project / name).write_text(words + "\n")
    session = agent.ask(f"Read the file {name}\nWrite RESULT to the file {copy}")
    assert _made(session) == calls
    assert (agent.project / copy).read_text() == words


def _made(session: Session) -> Expected:
    """The calls that were made and have worked, in OpenCode's own record; what went wrong is shown."""
    print(session)
    assert session.error == ""
    assert {use.status for use in session.uses} == {"completed"}
    return tuple((use.tool, use.input) for use in session.uses)
