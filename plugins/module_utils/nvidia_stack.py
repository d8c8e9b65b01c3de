# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver that is installed, seen as one thing: which packages, of whose making, with which kernel modules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import STACK, UBUNTU, DriverPackage
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Target

_OPEN = re.compile(
    r"^(nvidia-open|nvidia-open-\d+|nvidia-(driver|dkms|kernel-source|headless|headless-no-dkms)(-\d+)?(-server)?-open"
    r"|nvidia-kernel-open-dkms|nvidia-open-kernel-.*|linux-(modules|objects|signatures)-nvidia-\d+(-server)?-open-.*)$"
)
_PROPRIETARY = re.compile(
    r"^(cuda-drivers(-\d+)?|nvidia-(driver|dkms|kernel-source|headless|headless-no-dkms)-\d+(-server)?"
    r"|nvidia-dkms|nvidia-kernel-dkms|nvidia-kernel-source|linux-(modules|objects|signatures)-nvidia-\d+(-server)?-(?!open|server).*)$"
)
# The packages that bring libcuda.so.1.
LIBCUDA_PACKAGE = re.compile(r"^(libnvidia-compute.*|libcuda1|libnvidia(-tesla)?(-\d+)?-cuda1)$")
# Needed by machines with NVSwitch, and of the driver's exact version, whoever has packaged them.
COMPANION = re.compile(
    r"^(?P<name>nvidia-fabricmanager|nvidia-imex|libnvidia-nscq|libnvsdm|cuda-drivers-fabricmanager)(-\d{3})?$"
)
# Ubuntu has each branch twice; those for servers are the ones that we take.
_SERVER = re.compile(r".*?-\d{3}-server\b")
_DKMS_PACKAGE = re.compile(r"(?<!no)-dkms\b")


def on_disk(packages: Iterable[DriverPackage]) -> list[DriverPackage]:
    """The parts of the driver whose files are there."""
    return [package for package in packages if package.kind == STACK and package.package.on_disk]


def unfinished(facts: NodeFacts, leave: Collection[str] = ()) -> list[str]:
    """All packages that dpkg has begun with and not finished, those of others too, but for these names."""
    native = facts.distribution.architecture
    return [
        package.name if package.architecture in (native, "all", "") else f"{package.name}:{package.architecture}"
        for package in facts.dpkg
        if package.broken and package.name not in leave
    ]


def of_target(package: DriverPackage, target: Target) -> bool:
    """Whether it is a part of the wanted driver: its vendor, its branch, its flavour."""
    if package.branch != target.branch:
        return False
    if COMPANION.match(package.name):
        return True
    if target.vendor == UBUNTU and not _SERVER.match(package.name):
        return False
    return package.vendor == target.vendor and flavour_is_open(package.name) in (None, target.open_flavour)


def flavour_is_open(name: str) -> bool | None:
    """Which kernel modules a package brings or demands; null for one that fits both."""
    if _OPEN.match(name):
        return True
    return False if _PROPRIETARY.match(name) else None


def builds_modules(package: DriverPackage) -> bool:
    """Whether DKMS builds the kernel module from it."""
    return _DKMS_PACKAGE.search(package.name) is not None


def is_open(stack: Iterable[DriverPackage], vendor: str, branch: str | None) -> bool | None:
    """Which kernel modules the packages of one vendor and branch bring; null where they do not tell, or bring both."""
    names = (package.name for package in stack if (package.vendor, package.branch) == (vendor, branch))
    flavours = {flavour_is_open(name) for name in names} - {None}
    return flavours.pop() if len(flavours) == 1 else None


def kernels_without_module(facts: NodeFacts) -> list[str]:
    """Of the running kernel and the one that boots next those that have no NVIDIA module."""
    kernels = dict.fromkeys((facts.kernels.running, facts.kernels.next_boot))
    return [kernel for kernel in kernels if kernel not in facts.module.on_disk]
