# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``playbooks/clients.yml`` in front of a scripted endpoint, as a user runs it, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

REPOSITORY = Path(__file__).parents[3]
KEY = "k-canary-of-the-endpoint"


def played(
    folder: Path, endpoint: FakeEndpoint, *options: str, inventory: str = "localhost,", **settings: Any
) -> subprocess.CompletedProcess[str]:
    """The end of the play; the endpoint's key is in nothing that it printed or wrote."""
    given = {
        "clients_url": endpoint.url,
        "clients_api_key": KEY,
        "clients_agent_prompt": 300,
        "clients_write": ["opencode"],
        "clients_opencode_path": str(folder / "agent/opencode.json"),
        **settings,
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", inventory, "playbooks/clients.yml", "--diff"]
    environment = {
        **os.environ,
        "HOME": str(folder / "home"),
        "ANSIBLE_HOME": os.environ.get("ANSIBLE_HOME", str(Path.home() / ".ansible")),
        "ANSIBLE_LOCAL_TEMP": str(folder / "home/.ansible/tmp"),
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    (folder / "home").mkdir(exist_ok=True)
    started_in: dict[str, Any] = {"cwd": REPOSITORY, "env": environment}
    done = subprocess.run(
        [*command, *options, "-e", json.dumps(given)], **started_in, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr)  # shown where a test fails
    written = "".join(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())
    assert KEY not in done.stdout + done.stderr + written
    return done
