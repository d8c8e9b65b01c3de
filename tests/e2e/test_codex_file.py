# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codex' own parser takes the profile that our role writes, and takes no other key.

Its tools are not the pocket model's, so that no work is asked of it here.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bench import npm
from tests.bench.server import Server

from . import clients_play

pytestmark = pytest.mark.opencode


@pytest.fixture
def home(server: Server, tmp_path: Path) -> Path:
    path = tmp_path / ".codex/vllm.config.toml"
    # That its tool calls arrive is the matter of other tests.
    settings: dict[str, Any] = {"clients_write": ["codex"], "clients_check_tool_calls": False}
    assert clients_play.write(server, path, clients_codex_path=str(path), **settings).returncode == 0
    return tmp_path


@pytest.mark.parametrize(("change", "status"), [(str, "ok"), (lambda text: f"modell = 1\n{text}", "warning")])
def test_its_own_doctor(home: Path, change: Any, status: str) -> None:
    """Which looks at config.toml only."""
    profile = (home / ".codex/vllm.config.toml").read_text()
    (home / ".codex/config.toml").write_text(change(profile))
    own = {**os.environ, "HOME": str(home), "CODEX_HOME": str(home / ".codex"), "VLLM_API_KEY": "x"}
    done = subprocess.run(
        [str(npm.codex()), "doctor", "--json"],
        cwd=home,
        env=own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    checks = json.loads(done.stdout)["checks"]
    print(checks["config.load"])
    assert checks["config.load"]["status"] == status
    assert checks["config.load"]["details"]["model provider"] == "vllm"
    assert checks["auth.credentials"]["status"] == "ok"
