# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA's kernel module: the one that is loaded, and the ones on disk for each kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import pci_gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import read_text

# Debian's own packages name the file nvidia-current.ko.
_NAMES = ("nvidia", "nvidia-current")
_PROPRIETARY_LICENSE = "NVIDIA"
_OTHER_DRIVERS = ("nouveau", "nova_core")
_CAP_SYS_MODULE = 16  # linux/capability.h
_ALL_USERS = ["0", "0", "4294967295"]  # user namespaces of containers know fewer
_BOUNDING_SET = "CapBnd:"


@dataclass(frozen=True)
class DiskModule:
    """``open_flavour`` is null where the module does not tell its licence."""

    version: str
    open_flavour: bool | None


@dataclass(frozen=True)
class KernelModule:
    """``open_flavour`` is that of the loaded module; ``on_disk`` is by kernel, without kernels that have none."""

    loaded_version: str | None
    open_flavour: bool | None
    on_disk: dict[str, DiskModule]
    other_driver: str | None

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {
            "loaded_version": self.loaded_version,
            "open": self.open_flavour,
            "on_disk": {kernel: module.version for kernel, module in self.on_disk.items()},
        }


def read(root: Path, kernels: Iterable[str], ask: Ask) -> KernelModule:
    """From sysfs, procfs and modinfo; ``other_driver`` is nouveau or nova_core where one is loaded."""
    loaded = pci_gpus.read(root).driver
    on_disk = {kernel: module for kernel in kernels if (module := _on_disk(kernel, ask))}
    other = next((name for name in _OTHER_DRIVERS if (root / "sys/module" / name).exists()), None)
    return KernelModule(loaded.get("kernel_module_version"), loaded.get("open_kernel_module"), on_disk, other)


def loadable(root: Path) -> bool:
    """Whether modules can be loaded here at all; a container without CAP_SYS_MODULE has those of its host.

    Told by the capabilities that the processes of this system can ever have, not by those of the user.
    """
    status = (read_text(root / "proc/self/status") or "").splitlines()
    bounds = [line.removeprefix(_BOUNDING_SET).strip() for line in status if line.startswith(_BOUNDING_SET)]
    users = read_text(root / "proc/self/uid_map")
    allowed = not bounds or bool(int(bounds[0], 16) >> _CAP_SYS_MODULE & 1)
    return allowed and (users is None or users.split() == _ALL_USERS)


def _on_disk(kernel: str, ask: Ask) -> DiskModule | None:
    for name in _NAMES:
        version = ask(("modinfo", "-k", kernel, "-F", "version", name)).strip()
        if version:
            licence = ask(("modinfo", "-k", kernel, "-F", "license", name)).strip()
            return DiskModule(version.splitlines()[0], licence != _PROPRIETARY_LICENSE if licence else None)
    return None
