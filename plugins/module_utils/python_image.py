# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node's own Python as the file system of a container: some 11 MB that nobody has to download.

What belongs in it is not listed here but looked at: the modules that Python has imported and the libraries that it has
mapped once it has imported what a check of CUDA needs.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

INTERPRETER = "/usr/bin/python3"

# What libcuda and nvidia-smi are linked with is loaded, so that it is among the mapped files.
_PROGRAM = """
import ctypes, encodings.ascii, encodings.latin_1, json, signal, sys
for name in ("libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"):
    ctypes.CDLL(name)
modules = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
with open("/proc/self/maps", encoding="utf-8") as maps:
    mapped = {line.rstrip("\\n").split(None, 5)[-1] for line in maps if ".so" in line}
print(json.dumps({"executable": sys.executable, "modules": sorted(filter(None, modules)), "mapped": sorted(mapped)}))
"""
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
# The container toolkit lets ldconfig write a cache only where one is; ldconfig keeps another one below /var/cache.
_EMPTY_FILES = ("/etc/ld.so.cache",)
_FOLDERS = ("/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/var/cache")


def archive(interpreter: str = INTERPRETER) -> bytes:
    """A tar file with this Python, its standard modules for the check and the C library.

    :raises OSError: it cannot be started, or one of its files cannot be read.
    :raises subprocess.CalledProcessError: it cannot import the modules.
    """
    command = [interpreter if os.path.exists(interpreter) else sys.executable, "-E", "-s", "-c", _PROGRAM]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    libraries = said["mapped"]
    loader = [path for path in _LOADERS if os.path.exists(path)]
    files = closed_under_links([command[0], said["executable"], *said["modules"], *libraries, *loader])
    names = [name for library in libraries for name in links_to(library)]
    return _packed(sorted({*files, *closed_under_links(names)}))


def links_to(path: str) -> list[str]:
    """The symbolic links beside a file that lead to it, such as libm.so.6 to libm.so.6.1."""
    real = os.path.realpath(path)
    with os.scandir(os.path.dirname(real)) as entries:
        return [entry.path for entry in entries if entry.is_symlink() and os.path.realpath(entry.path) == real]


def closed_under_links(paths: Iterable[str]) -> set[str]:
    """The files, and every symbolic link on the way to them."""
    found: set[str] = set()
    for path in paths:
        done = Path("/")
        left = list(Path(path).parts[1:])
        while left:
            done /= left.pop(0)
            if done.is_symlink():
                found.add(str(done))
                target = Path(os.path.normpath(done.parent / os.readlink(done)))
                done, left = Path("/"), [*target.parts[1:], *left]
        found.add(str(done))
    return found


def _packed(files: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in _FOLDERS:
            entry = tarfile.TarInfo(folder.strip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in _EMPTY_FILES:
            tar.addfile(tarfile.TarInfo(name.strip("/")))
        for file in files:
            tar.add(file, recursive=False, filter=_owned_by_root)
    return buffer.getvalue()


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
