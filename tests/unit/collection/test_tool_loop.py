# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of docs/clients, with the official client in front of a scripted endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

# The environment of the newest ansible-core has no client.
pytest.importorskip("openai")

PROGRAM = Path(__file__).parents[3] / "docs/clients/tool_loop.py"


def looped(endpoint: FakeEndpoint, folder: Path, question: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), endpoint.url, question],
        cwd=folder,
        env={**os.environ, "VLLM_API_KEY": "k-1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_the_tool_and_hands_over_the_result(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("only on this disk")
    with FakeEndpoint(api_key="k-1").serving() as endpoint:
        done = looped(endpoint, tmp_path, "Read the file notes.txt.")
        assert done.stdout == "It says: only on this disk.\n", done.stderr
        assert looped(endpoint, tmp_path, "Say hello.").stdout.startswith("Why did")


def test_it_runs_no_cut_call(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with FakeEndpoint(
        api_key="k-1", spoil=lambda _request, answer: replace(answer, finish_reason="length")
    ).serving() as endpoint:
        done = looped(endpoint, tmp_path, "Read the file notes.txt.")
    assert done.returncode == 1 and "must not be run" in done.stderr
