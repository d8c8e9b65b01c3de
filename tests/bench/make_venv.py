# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make a virtual environment with a dependency group of pyproject.toml. Standard library only: it is the first step.

Usage: python3 tests/bench/make_venv.py FOLDER [GROUP]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

PIP = "pip==26.3"
OLDEST, NEWEST = (3, 11), (3, 13)


def main(folder: str, group: str) -> str | None:
    """What went wrong, or None."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST and group == "dev":
        return (
            f"This is Python {sys.version.split()[0]} ({sys.executable}).\n"
            "Ansible's controller needs 3.11 to 3.13 here; name another one: make PYTHON=python3.12 <target>"
        )
    problem = _ensure_venv_module()
    if problem:
        return problem
    print(f"==> Virtual environment {folder} (the first time: about 1 minute)", flush=True)
    start = time.monotonic()
    # Not sys.executable: that may be the very environment that is replaced here.
    base_python = getattr(sys, "_base_executable", sys.executable)
    # A half-made environment of an interrupted run is not worth repairing.
    shutil.rmtree(folder, ignore_errors=True)
    python = os.path.join(folder, "bin", "python")
    for command in (
        [base_python, "-m", "venv", folder],
        [python, "-m", "pip", "install", "-qq", PIP],
        [python, "-m", "pip", "install", "-qq", "--group", group],
    ):
        if subprocess.call(command, stdin=subprocess.DEVNULL) != 0:
            shutil.rmtree(folder, ignore_errors=True)
            return f"{' '.join(command)} failed (see above). Check the network and pip's index, then try again."
    print(f"    done in {time.monotonic() - start:.0f} s", flush=True)
    return None


def _ensure_venv_module() -> str | None:
    try:
        import ensurepip  # noqa: F401 - Debian keeps it in a package of its own
        import venv  # noqa: F401

        return None
    except ImportError:
        pass
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"==> Python has no venv module: installing {package}", flush=True)
        if (
            subprocess.call(["apt-get", "update", "-qq"]) == 0
            and subprocess.call(["apt-get", "install", "-y", "-qq", package]) == 0
        ):
            return None
    return f"Python has no venv module. Install it, then try again: sudo apt-get install {package}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "dev"))
