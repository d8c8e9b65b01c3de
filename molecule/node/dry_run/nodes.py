# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the inventory, and the play on one of them, before molecule converges them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

SCENARIO = Path(__file__).parents[1]
REPOSITORY = SCENARIO.parents[1]
INVENTORY = Path(os.environ.get("BENCH_INVENTORY", SCENARIO / "inventory/hosts.yml"))
GROUPS = yaml.safe_load(INVENTORY.read_text())["bench_nodes"]["children"]
NODES: dict[str, dict[str, Any]] = {
    name: variables or {} for group in GROUPS.values() for name, variables in (group or {}).get("hosts", {}).items()
}


def each_node(*pasts: str) -> list[str]:
    """All nodes, or those with these pasts."""
    return [name for name in NODES if not pasts or past(name) in pasts]


def past(node: str) -> str:
    """The name of the file in prepare/, or nothing for a virgin node."""
    return str(NODES[node].get("bench_past", ""))


def on(node: str, *command: str) -> str:
    """What a command prints on it."""
    return subprocess.run(["docker", "exec", node, *command], capture_output=True, text=True, check=True).stdout


def play(node: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The scenario's play on one node, with results as JSON."""
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".bench/collections"),
        "MOLECULE_PROJECT_DIRECTORY": str(REPOSITORY),
        **os.environ,
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_DISPLAY_FAILED_STDERR": "0",  # molecule sets it
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(
        ["ansible-playbook", "-i", str(INVENTORY), "--limit", node, *arguments, str(SCENARIO / "converge.yml")],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
