# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents and servers out of the Python package index, each installed once into an environment of the bench's cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from . import CACHE
from .console import BenchError, step

_CLIENTS = Path(__file__).parent / "clients"


def installed(client: str) -> Path:
    """The environment with the packages of tests/bench/clients/CLIENT.

    :raises BenchError: there is no Python 3.12 or it cannot be installed.
    """
    requirements = _CLIENTS / client / "requirements.txt"
    folder = CACHE / f"{client}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    if (folder / ".ready").exists():
        return folder
    python = _python()
    for old in CACHE.glob(f"{client}-????????????"):
        shutil.rmtree(old)
    with step(f"Installing {client} from the Python package index (a minute or two)"):
        for command in (
            [python, "-m", "venv", str(folder)],
            [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)],
        ):
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BenchError(
                    f"{' '.join(command)} failed:\n{done.stderr.strip()}\nCheck the network and the index."
                )
    (folder / ".ready").touch()
    return folder


def _python() -> str:
    """The one that all of them run on: some need 3.12, Aider ends there."""
    for candidate in ("python3.12", *map(str, sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python3")))):
        program = shutil.which(candidate)
        if program and subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0:
            return program
    raise BenchError("These clients need Python 3.12. Install python3.12 with its venv module.")
