# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What libcuda.so.1 answers when it is asked to start, in a process of its own: it may crash or hang."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

LIBRARY = "libcuda.so.1"
TIMEOUT = "timeout"

_SECONDS_TO_DIE = 5.0  # a process that waits for the kernel cannot be killed, and is not waited for

# Runs on its own, in a container too. Says one thing after the other, so that what was learned before a crash is not
# lost.
PROGRAM = f"""
import ctypes, json, sys

def say(**what):
    sys.stdout.write("\\n" + json.dumps(what) + "\\n")
    sys.stdout.flush()

try:
    library = ctypes.CDLL({LIBRARY!r})
except OSError as error:
    sys.exit(say(load_error=str(error)))
with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
    mapped = [line.rstrip("\\n").split(None, 5)[-1] for line in maps if "/libcuda.so" in line]
say(path=mapped[0] if mapped else None)
if not hasattr(library, "cuInit"):
    sys.exit(say(load_error="it has no function cuInit"))
code = library.cuInit(0)
name = ctypes.c_char_p()
if hasattr(library, "cuGetErrorName"):
    library.cuGetErrorName(code, ctypes.byref(name))
say(result=code, name=(name.value or b"").decode("ascii", "replace"))
version = ctypes.c_int()
if hasattr(library, "cuDriverGetVersion") and library.cuDriverGetVersion(ctypes.byref(version)) == 0:
    say(cuda_version=[version.value // 1000, version.value % 1000 // 10])
if code == 0:
    count = ctypes.c_int()
    code = library.cuDeviceGetCount(ctypes.byref(count))
    say(device_count=count.value if code == 0 else 0)
"""


@dataclass(frozen=True)
class CudaAnswer:
    """``ended``: how the process ended if not by itself, such as SIGSEGV, or TIMEOUT.

    ``path`` is that of the library's file, ``load_error`` the loader's own words, ``result`` what cuInit(0) returned
    and ``name`` what the library calls that, ``device_count`` the number of GPUs that CUDA sees. ``cuda_version`` is
    the newest CUDA that the library runs, as [13, 2].
    """

    path: str | None = None
    load_error: str = ""
    result: int | None = None
    name: str = ""
    device_count: int | None = None
    cuda_version: list[int] | None = None
    ended: str = ""


def ask(timeout_seconds: float) -> CudaAnswer:
    """Start CUDA in a child process; nothing that goes wrong there is raised."""
    command = [sys.executable, "-c", PROGRAM]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        said, _nothing = child.communicate(timeout=timeout_seconds)
        return answered(said, _ended(child.returncode))
    except subprocess.TimeoutExpired:
        child.kill()
    try:
        said, _nothing = child.communicate(timeout=_SECONDS_TO_DIE)
    except subprocess.TimeoutExpired:
        said = ""
    return answered(said, TIMEOUT)


def _ended(returncode: int) -> str:
    if returncode >= 0:
        return "" if returncode == 0 else f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def answered(said: str, ended: str = "") -> CudaAnswer:
    """What the program has said, and how its process ended."""
    known: dict[str, Any] = {}
    for line in said.splitlines():
        with contextlib.suppress(ValueError):  # the library may print as well
            message = json.loads(line)
            if isinstance(message, dict):
                known.update(message)
    return CudaAnswer(**known, ended=ended)
