# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run on a virgin node works, shows what would come, and leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

from playing import inventory_of, play

NODE = "gpunode-virgin"
# What looking itself leaves: Ansible's own temporary folder, apt's caches, logs.
TRACES = ("/root/.ansible", "/tmp", "/run", "/var/tmp", "/var/log", "/var/cache/apt", "/var/lib/systemd")
MIDNIGHT = ("/var/backups",)  # then the node keeps a copy of dpkg's records


def changed_files() -> set[str]:
    output = subprocess.run(["docker", "diff", NODE], capture_output=True, text=True, check=True).stdout
    names = {line[2:] for line in output.splitlines() if not line[2:].startswith(TRACES + MIDNIGHT)}
    # A folder counts as changed when something in it has changed; the files themselves are what matters.
    return {name for name in names if not any(other.startswith(f"{name}/") for other in names)} - {
        "/root",
        "/var/cache",
    }


def test_check_on_a_virgin_node_changes_nothing(tmp_path: Path):
    before = changed_files()
    result = play("--check", "--diff", inventory=inventory_of(NODE, tmp_path))
    assert result.returncode == 0, result.stdout
    assert "ready: Debian 13" in result.stdout
    assert "docker.io" in result.stdout  # what would be installed
    assert "--tool-call-parser" in result.stdout  # what would be written
    assert changed_files() == before
