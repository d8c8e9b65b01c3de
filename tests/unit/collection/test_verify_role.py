# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verify role as a playbook runs it, in front of a scripted endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

COLLECTIONS = Path(__file__).parents[3] / "collections"


def report(folder: Path, **settings: Any) -> dict[str, Any]:
    """What the role writes into its report."""
    playbook = folder / "play.yml"
    with FakeEndpoint().serving() as endpoint:
        variables = {"verify_base_url": endpoint.url, "verify_report_dir": str(folder), **settings}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        playbook.write_text(json.dumps([{**play, "roles": ["toolserve.gpunode.verify"]}]))
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(playbook)]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((folder / "localhost.json").read_text(encoding="utf-8")))


def test_a_seed_asks_the_same_again(tmp_path: Path) -> None:
    assert report(tmp_path, verify_seed=7)["seed"] == 7
