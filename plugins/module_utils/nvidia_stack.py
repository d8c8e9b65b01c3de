# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver that is installed, seen as one thing: of whom, of which branch, whether it is whole and fit for use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.node_kernels import version_key
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import Gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import (
    STACK,
    UNKNOWN,
    VENDOR_NAMES,
    DriverPackage,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Target, Wish

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
# What an upgrade of the branch leaves behind without harm: firmware and modules of kernels that are no longer used.
_REMNANT = re.compile(r"^(nvidia-firmware-|firmware-nvidia-|linux-(modules|objects|signatures)-nvidia-)")
_DKMS_PACKAGE = re.compile(r"dkms|kernel-source")


@dataclass(frozen=True)
class Conflict:
    """``what`` was found, and ``why`` it cannot stay."""

    what: str
    why: str

    def as_dict(self) -> dict[str, str]:
        """For return values."""
        return {"what": self.what, "why": self.why}


def on_disk(packages: Iterable[DriverPackage]) -> list[DriverPackage]:
    """The parts of the driver whose files are there."""
    return [package for package in packages if package.kind == STACK and package.package.on_disk]


def of_target(package: DriverPackage, target: Target) -> bool:
    """Whether it is a part of the wanted driver: its vendor, its branch, its flavour."""
    return (
        package.vendor == target.vendor
        and package.branch == target.branch
        and flavour_is_open(package.name) in (None, target.open_flavour)
    )


def flavour_is_open(name: str) -> bool | None:
    """Which kernel modules a package brings or demands; null for one that fits both."""
    if _OPEN.match(name):
        return True
    return False if _PROPRIETARY.match(name) else None


def builds_modules(package: DriverPackage) -> bool:
    """Whether DKMS builds the kernel module from it."""
    return _DKMS_PACKAGE.search(package.name) is not None


def mixed(stack: Iterable[DriverPackage]) -> list[Conflict]:
    """Packages of more than one vendor or branch."""
    core = (package for package in stack if not _REMNANT.match(package.name))
    kinds = sorted({(package.vendor, package.branch or "?") for package in core if package.vendor != UNKNOWN})
    if len(kinds) < 2:
        return []
    parts = " and ".join(f"branch {branch} packaged by {VENDOR_NAMES[vendor]}" for vendor, branch in kinds)
    return [
        Conflict(
            f"packages of {parts}",
            "one driver is of one vendor and one branch: library and kernel module must have the same version",
        )
    ]


def broken(stack: Iterable[DriverPackage]) -> list[Conflict]:
    """Packages that dpkg has not finished with."""
    names = [f"{package.name} ({package.package.abbreviation})" for package in stack if package.package.broken]
    if not names:
        return []
    return [
        Conflict(", ".join(names), "dpkg has begun with them and not finished, so that parts of the driver are missing")
    ]


def incomplete_libcuda(facts: NodeFacts, stack: Iterable[DriverPackage]) -> list[Conflict]:
    """No libcuda.so.1, or one that does not belong to the packages or to the kernel module."""
    libcuda = facts.libcuda
    if libcuda.path is None:
        return [Conflict("no libcuda.so.1", "nvidia-smi may work without it, CUDA programs do not")] if stack else []
    if libcuda.package is None:
        return []  # told as a driver of the .run file
    module = facts.module.on_disk.get(facts.kernels.running)
    if module and libcuda.version and module.version != libcuda.version:
        return [
            Conflict(
                f"libcuda.so.1 {libcuda.version}, kernel module {module.version} on disk",
                "library and kernel module must have the same version (CUDA error 803)",
            )
        ]
    return []


def kernels_without_module(facts: NodeFacts) -> list[str]:
    """Of the running kernel and the one that boots next those that have no NVIDIA module."""
    kernels = dict.fromkeys((facts.kernels.running, facts.kernels.next_boot))
    return [kernel for kernel in kernels if kernel not in facts.module.on_disk]


def without_module(facts: NodeFacts, stack: Iterable[DriverPackage]) -> list[Conflict]:
    """Libraries that no kernel module belongs to, and nothing that would build one."""
    packages = list(stack)
    upcoming = facts.kernels.next_boot
    if not packages or upcoming in facts.module.on_disk or any(builds_modules(package) for package in packages):
        return []
    if facts.kernels.running in facts.module.on_disk:
        return []  # it works now; the next kernel is told as a warning
    return [
        Conflict("driver packages without a kernel module", "no package builds one, so that nothing drives the GPU")
    ]


def runfile_driver(facts: NodeFacts) -> list[Conflict]:
    """A driver that dpkg knows nothing of."""
    if not facts.runfile.present:
        return []
    return [
        Conflict(
            f"a driver of NVIDIA's .run file ({', '.join(facts.runfile.traces)})",
            "it lies beside the packages, and neither apt nor DKMS keep it in step with them",
        )
    ]


def too_old(facts: NodeFacts, stack: Iterable[DriverPackage], wish: Wish) -> list[Conflict]:
    """Below the version that the served image needs."""
    version = facts.libcuda.version or next((package.upstream_version for package in stack), None)
    if not wish.minimum_version or not version or not older(version, wish.minimum_version):
        return []
    return [
        Conflict(f"driver {version}", f"the CUDA release of the served image needs at least {wish.minimum_version}")
    ]


def unfit_for_gpus(facts: NodeFacts, stack: Iterable[DriverPackage], gpus: Gpus) -> list[Conflict]:
    """A branch or flavour that does not drive the GPUs of this node."""
    module = facts.module.on_disk.get(facts.kernels.running)
    named = {flavour for package in stack if (flavour := flavour_is_open(package.name)) is not None}
    is_open = module.open_flavour if module and module.open_flavour is not None else named == {True} if named else None
    branch = next((package.branch for package in stack if package.branch), None)
    if branch is None or not gpus.generations:
        return []
    if is_open is None:
        is_open = bool(gpus.need_open)
    return [Conflict(f"driver {branch}", objection) for objection in gpus.objections(branch, is_open)]


def differs(stack: Iterable[DriverPackage], target: Target) -> list[Conflict]:
    """A driver that is sound, but not the one that is asked for."""
    others = {(package.vendor, package.branch) for package in stack if not of_target(package, target)}
    why = f"nvidia_driver_replace_healthy asks for {target}"
    return [
        Conflict(f"branch {branch} packaged by {VENDOR_NAMES[vendor]}", why)
        for vendor, branch in sorted(others, key=str)
    ]


def older(version: str, than: str) -> bool:
    """Whether a driver version is below another, number by number."""
    return version_key(version) < version_key(than)
