# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbooks of this clone with the Ansible of its virtual environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .console import BenchError

REPOSITORY = Path(__file__).parents[2]


def playbook(name: str, inventory: str, *arguments: str, quiet: bool = False) -> int:
    """Run a playbook; with ``quiet`` its output is shown only when it fails. Returns the exit code."""
    if not quiet:
        command = _playbook_command(name, inventory, *arguments)
        return subprocess.run(command, cwd=REPOSITORY, env=_environment(), check=False).returncode
    result = captured_playbook(name, inventory, *arguments)
    if result.returncode != 0:
        print(result.stdout, flush=True)
    return result.returncode


def captured_playbook(
    name: str, inventory: str | None, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a playbook, without an inventory if there is none, and show nothing; ``stdout`` holds all that it says.

    :param environment: variables that it gets beside those of this process.
    """
    return _captured(_playbook_command(name, inventory, *arguments), environment)


def adhoc(module: str, options: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run one module on this machine; ``stdout`` ends with what it returns."""
    return _captured([_program("ansible"), "localhost", "-m", module, "-a", json.dumps(options)])


def galaxy(*arguments: str) -> None:
    """Run ansible-galaxy.

    :raises BenchError: it failed; the message holds its output.
    """
    result = _captured([_program("ansible-galaxy"), *arguments])
    if result.returncode != 0:
        raise BenchError(f"ansible-galaxy {' '.join(arguments)} failed:\n{result.stdout}")


def _playbook_command(name: str, inventory: str | None, *arguments: str) -> list[str]:
    return [_program("ansible-playbook"), *(["-i", inventory] if inventory else []), name, *arguments]


def _captured(command: list[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**_environment(), **(environment or {})},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _environment() -> dict[str, str]:
    return {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}
