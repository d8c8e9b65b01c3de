# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbooks of this clone with the Ansible of its virtual environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .prepare import REPOSITORY


def playbook(name: str, inventory: str, *arguments: str, quiet: bool = False) -> int:
    """Run a playbook; with ``quiet`` its output is shown only when it fails. Returns the exit code."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", inventory, name, *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}
    if not quiet:
        return subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode != 0:
        print(result.stdout, flush=True)
    return result.returncode
