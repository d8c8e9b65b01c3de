# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that the role clients writes, with the official client in front of a scripted endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import Answer, FakeEndpoint, Request

from tests.unit.collection.clients_play import KEY, played

# The environment of the newest ansible-core has no client.
pytest.importorskip("openai")
pytestmark = pytest.mark.plays


def cut_where_asked(request: Request, answer: Answer) -> Answer:
    cut = "cut.txt" in str(request["messages"])
    return replace(answer, finish_reason="length") if cut else answer


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "notes.txt").write_text("only on this disk")
    (tmp_path / "long.txt").write_text("word " * 1600)
    with FakeEndpoint(api_key=KEY, spoil=cut_where_asked).serving() as endpoint:
        assert played(tmp_path, endpoint, clients_write=["example"]).returncode == 0
        yield tmp_path


def looped(folder: Path, question: str, key: str | None = KEY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "home/vllm-example/tool_loop.py"), question],
        cwd=folder,
        env={**os.environ, **({"VLLM_API_KEY": key} if key else {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program(folder: Path) -> None:
    done = looped(folder, "Read the file notes.txt.")
    assert done.stdout == "It says: only on this disk.\n", done.stderr
    assert looped(folder, "Say hello.").stdout.startswith("Why did")
    assert "VLLM_API_KEY" in looped(folder, "Say hello.", key=None).stderr
    done = looped(folder, "Read the file cut.txt.")
    assert done.returncode == 1 and "must not be run" in done.stderr
    assert looped(folder, "Read the files long.txt and notes.txt.").returncode == 0
