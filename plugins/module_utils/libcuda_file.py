# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libcuda.so.1, the library that CUDA programs load: where it is, of which driver, and which package brought it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import real_path

_NAME = "libcuda.so.1"
_CACHED = re.compile(r"^\s*libcuda\.so\.1 \((?P<kind>[^)]*)\) => (?P<path>\S+)", re.MULTILINE)
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
_VERSION = re.compile(r"\.so\.(\d+\.\d[\d.]*)$")
# The forward compatibility library of a CUDA toolkit; it is not the driver's.
_COMPAT = "/compat/"


@dataclass(frozen=True)
class Libcuda:
    """``path`` is null where there is none that leads to a file; ``package`` where dpkg knows no owner."""

    path: str | None = None
    version: str | None = None
    package: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """For return values."""
        return {"path": self.path, "version": self.version, "package": self.package}


def read(root: Path, ask: Ask) -> Libcuda:
    """The one that the dynamic linker finds first, else the first in the folders where drivers put it."""
    for path in _places(ask):
        real = real_path(root, path)
        if real is not None:
            version = _VERSION.search(real)
            return Libcuda(path, version[1] if version else None, owner(real, ask))
    return Libcuda()


def owner(path: str, ask: Ask) -> str | None:
    """The package that a file belongs to; dpkg may know it by its place from before /lib became a link to /usr/lib."""
    for known in (path, path.removeprefix("/usr")):
        for line in ask(("dpkg", "-S", known)).splitlines():
            names, _colon, found = line.rpartition(": ")
            if found == known and not names.startswith("diversion by"):
                return names.split(",")[0].split(":")[0]
    return None


def _places(ask: Ask) -> Iterator[str]:
    for cached in _CACHED.finditer(ask(("ldconfig", "-p"))):
        if ("x86-64" in cached["kind"] or "AArch64" in cached["kind"]) and _COMPAT not in cached["path"]:
            yield cached["path"]
    yield from (f"{folder}/{_NAME}" for folder in _FOLDERS)
