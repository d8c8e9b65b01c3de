# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching locked packages, PyTorch's CPU build among them, with pip and its configuration."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from .console import BenchError, Ticker, say

# Where PyTorch publishes its CPU builds; used when the configured package index has none.
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def run_pip(arguments: Sequence[str], advice: str) -> None:
    """Run pip; if that fails, once more with the index that has PyTorch's CPU builds.

    :raises BenchError: both failed; `advice` says what that means.
    """
    command = [sys.executable, "-m", "pip", *arguments]
    if _run(command) == 0:
        return
    say(f"    this package index has no CPU build of PyTorch: asking {_TORCH_INDEX}")
    if _run([*command, "--extra-index-url", _TORCH_INDEX]) != 0:
        raise BenchError(f"pip could not fetch the packages (its errors are above). {advice}")


def _run(command: list[str]) -> int:
    ticker, errors = Ticker(), []
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        ticker.tell(line)
        if line.startswith("ERROR"):
            errors.append(line)
    if process.wait() != 0:
        say("    " + "    ".join(line[:300] for line in errors[:3]).strip())
    return process.returncode
