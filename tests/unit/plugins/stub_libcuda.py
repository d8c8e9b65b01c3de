# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A libcuda.so.1 of a few lines of C, for the loader of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SOURCE = """
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int cuInit(unsigned int flags) {{ {in_init} return {result}; }}
int cuDeviceGetCount(int *count) {{ *count = {devices}; return 0; }}
int cuGetErrorName(int code, const char **name) {{ *name = code == {result} ? "{name}" : 0; return 0; }}
"""


def build(
    folder: Path,
    version: str = "595.91.07",
    *,
    result: int = 0,
    devices: int = 1,
    name: str = "",
    in_init: str = "",
) -> Path:
    """The folder for LD_LIBRARY_PATH: libcuda.so.1 leads to a file named after the version."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "libcuda.c"
    source.write_text(_SOURCE.format(result=result, devices=devices, name=name, in_init=in_init))
    library = folder / f"libcuda.so.{version}"
    command = ["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(library), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "libcuda.so.1").symlink_to(library.name)
    return folder
