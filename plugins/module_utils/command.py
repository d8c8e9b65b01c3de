# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a command of the node and take what it prints; tests pass a function that answers from recordings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence

Ask = Callable[[Sequence[str]], str]

_TIMEOUT_SECONDS = 120
# /sbin is missing in the path of some users, and dkms and modinfo are there.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ask(arguments: Sequence[str]) -> str:
    """What a command that only reads prints on stdout, in English; nothing if it is missing or takes too long."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": _PATH}
    try:
        done = subprocess.run(
            list(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
