# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the installed collection's playbooks the way a user would, against a node of the bench."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
INVENTORY = REPOSITORY / "molecule/inventory/hosts.yml"


def play(
    *arguments: str, inventory: Path = INVENTORY, playbook: str = "site", seconds: int = 300
) -> subprocess.CompletedProcess[str]:
    started = start(*arguments, inventory=inventory, playbook=playbook)
    try:
        output, errors = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(started)
        raise
    return subprocess.CompletedProcess(started.args, started.returncode, output, errors)


def start(*arguments: str, inventory: Path = INVENTORY, playbook: str = "site") -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["ansible-playbook", "-i", str(inventory), f"toolserve.gpunode.{playbook}", *arguments],
        cwd=REPOSITORY / "molecule",
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".bench/collections"),
            # Molecule forces colours, whose codes would stand between the words that are looked for.
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(started: subprocess.Popen[str]) -> None:
    """The play and all that it has started, at once."""
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()


def set_up_docker(inventory: Path = INVENTORY, **values: object) -> subprocess.CompletedProcess[str]:
    return play("--tags", "docker", "--extra-vars", json.dumps(values), inventory=inventory)


def changes(result: subprocess.CompletedProcess[str]) -> int:
    return sum(map(int, re.findall(r"changed=(\d+)", result.stdout)))


def said(result: subprocess.CompletedProcess[str]) -> str:
    """All that the play printed, on one line."""
    return " ".join((result.stdout + result.stderr).split())


def inventory_of(node: str, folder: Path) -> Path:
    """An inventory whose only node to provision is this one."""
    inventory = folder / "inventory" / node / "hosts.yml"
    inventory.parent.mkdir(parents=True)
    (inventory.parent / "group_vars").symlink_to(REPOSITORY / "inventory.example/demo/group_vars")
    (folder / ".bench").symlink_to(REPOSITORY / ".bench")
    inventory.write_text(f"bench_nodes: {{children: {{gpunodes: {{hosts: {{{node}: }}}}}}}}\n")
    return inventory


def refused(*arguments: str, inventory: Path = INVENTORY) -> str:
    """What preflight says when it stops the play without having changed anything, on one line."""
    result = play(*arguments, inventory=inventory)
    assert result.returncode != 0, result.stdout
    assert set(re.findall(r"changed=(\d+)", result.stdout)) <= {"0"}, result.stdout
    assert "rescued=1" not in result.stdout, result.stdout  # each fault has a check of its own
    return " ".join((result.stdout + result.stderr).split())
