# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the stand-in libraries and programs of stubs/ for a driver version."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from ..console import BenchError

_FOLDER = Path(__file__).parent / "stubs"
_CUDA_OF_BRANCH = {"535": "12.2", "550": "12.4", "570": "12.8", "580": "13.0", "595": "13.2", "610": "13.3"}


@functools.cache
def compiled(source: str, version: str, *flags: str) -> bytes:
    """The binary made of stubs/``source`` for this driver version.

    :raises BenchError: the compiler failed; the message holds what it said.
    """
    cuda = _CUDA_OF_BRANCH[version.partition(".")[0]]
    major, minor = cuda.split(".")
    macros = {
        "VERSION": f'"{version}"',
        "CUDA_TEXT": f'"{cuda}"',
        "CUDA_VERSION": f"{int(major) * 1000 + int(minor) * 10}",
        "NVML_MAJOR": f'"{major}"',
    }
    with tempfile.TemporaryDirectory(prefix="toolserve-bench-") as folder:
        output = Path(folder) / "output"
        command = ["gcc", "-O1", "-w", *(f"-D{name}={value}" for name, value in macros.items())]
        result = subprocess.run(
            [*command, str(_FOLDER / source), "-o", str(output), *flags], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise BenchError(f"Compiling {source} of the stand-in driver failed:\n{result.stderr}")
        return output.read_bytes()


def library(name: str, version: str) -> bytes:
    """libcuda.so.1 or libnvidia-ml.so.1, named without the ending."""
    return compiled(f"{name}.c", version, "-shared", "-fPIC", f"-Wl,-soname,{name}.so.1")


def program(name: str, version: str) -> bytes:
    return compiled(f"{name}.c", version, "-ldl")


def module(version: str, licence: str) -> bytes:
    """The kernel module; its licence tells the flavours apart: "NVIDIA" or "Dual MIT/GPL"."""
    return compiled("nvidia-module.c", version, "-c", f'-DLICENSE="{licence}"')
