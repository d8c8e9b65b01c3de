# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real agents out of the npm registry, locked, installed once into the cache of the bench."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import CACHE
from .console import BenchError, step
from .engine import install_packages

_CLIENTS = Path(__file__).parent / "clients"


def opencode() -> Path:
    """The program of OpenCode.

    :raises BenchError: it cannot be installed.
    """
    modules = _installed("opencode")
    arch = _arch()
    old = arch == "x64" and "avx2" not in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    program = modules / f"opencode-linux-{arch}{'-baseline' if old else ''}" / "bin/opencode"
    if not program.is_file():
        raise BenchError(f"OpenCode has no program for this machine ({platform.machine()}): {program} is not there.")
    return program


def cline() -> Path:
    """The program of Cline's command line, installed likewise."""
    found = sorted(_installed("cline").glob("@cline/cli-linux-*/bin/cline"))
    if not found:
        raise BenchError(f"Cline has no program for this machine ({platform.machine()}).")
    return found[0]


def continue_() -> list[str]:
    """The command of Continue's command line, installed likewise."""
    return ["node", str(_installed("continue") / "@continuedev/cli/dist/cn.js")]


def continue_validator() -> list[str]:
    """The command with which Continue validates a file."""
    return ["node", str(_installed("continue") / "@continuedev/config-yaml/dist/cli.js")]


def codex() -> Path:
    """The program of Codex, installed likewise."""
    found = sorted(_installed("codex").glob("@openai/codex-linux-*/vendor/*/bin/codex"))
    if not found:
        raise BenchError(f"Codex has no program for this machine ({platform.machine()}).")
    return found[0]


def claude_code() -> Path:
    """The program of Claude Code, installed likewise; it is no free software, and nothing of it is kept elsewhere."""
    modules = _installed("claude-code") / "@anthropic-ai"
    program = modules / f"claude-code-linux-{_arch()}/claude"
    if not program.is_file():
        raise BenchError(f"Claude Code has no program for this machine ({platform.machine()}).")
    return program


def _arch() -> str:
    """As npm calls it."""
    return {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _installed(client: str) -> Path:
    """The folder node_modules of the locked packages of tests/bench/clients/CLIENT; their scripts are not run."""
    files = [_CLIENTS / client / name for name in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = CACHE / f"{client}-{digest}"
    if folder.is_dir():
        return folder / "node_modules"
    npm = _npm()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (
        step(f"Installing {client} from the npm registry (about 10 s)"),
        tempfile.TemporaryDirectory(prefix=f"{client}-", dir=CACHE) as temporary,
    ):
        for file in files:
            shutil.copy(file, temporary)
        # Not `npm ci`: the lock need not name the programs of every other system, which npm leaves out anyway.
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            command, cwd=temporary, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchError(
                f"{' '.join(command)} failed:\n{done.stderr.strip()}\nCheck the network and npm's registry."
            )
        for old in CACHE.glob(f"{client}-????????????"):
            shutil.rmtree(old)
        shutil.copytree(temporary, folder, symlinks=True)
    return folder / "node_modules"


def _npm() -> str:
    if shutil.which("npm") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise BenchError("npm is not there, which installs the agents of these tests. Install nodejs and npm.")
        with step("npm is not there: installing nodejs and npm"):
            install_packages("nodejs", "npm")
    return "npm"
