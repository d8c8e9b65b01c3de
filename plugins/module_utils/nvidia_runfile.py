# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traces of NVIDIA's own installer (the .run file), which puts a driver where dpkg does not see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.libcuda_file import Libcuda, owner

_UNINSTALLER = "/usr/bin/nvidia-uninstall"
_TRACES = (_UNINSTALLER, "/var/lib/nvidia/log", "/var/log/nvidia-installer.log")


@dataclass(frozen=True)
class Runfile:
    """``present``: its driver is still there; the log of one that was uninstalled alone means nothing."""

    uninstaller: str | None
    traces: tuple[str, ...]
    present: bool

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {"uninstaller": self.uninstaller, "traces": list(self.traces)}


def read(root: Path, libcuda: Libcuda, ask: Ask) -> Runfile:
    """Its uninstaller, unless a package owns that, its logs, and a libcuda.so.1 without an owner."""
    traces = [path for path in _TRACES if (root / path.lstrip("/")).exists()]
    if _UNINSTALLER in traces and owner(_UNINSTALLER, ask):
        traces.remove(_UNINSTALLER)
    stray = libcuda.path if libcuda.path and not libcuda.package else None
    uninstaller = _UNINSTALLER if _UNINSTALLER in traces else None
    return Runfile(uninstaller, (*traces, *((stray,) if stray else ())), bool(uninstaller or stray))
