# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the driver that is installed, so that it cannot stay."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import Gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import (
    UNKNOWN,
    VENDOR_NAMES,
    DriverPackage,
    older,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_stack import (
    COMPANION,
    builds_modules,
    is_open,
    of_target,
    on_disk,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import OPEN, PROPRIETARY, Target, Wish

# What an upgrade of the branch leaves behind without harm: firmware and modules of kernels that are no longer used.
_REMNANT = re.compile(r"^(nvidia-firmware-|firmware-nvidia-|linux-(modules|objects|signatures)-nvidia-)")


@dataclass(frozen=True)
class Conflict:
    """``what`` was found, and ``why`` it cannot stay."""

    what: str
    why: str

    def as_dict(self) -> dict[str, str]:
        """For return values."""
        return {"what": self.what, "why": self.why}


def find(facts: NodeFacts, wish: Wish, gpus: Gpus) -> list[Conflict]:
    """Why the driver that is there cannot stay; nothing for a sound one, and for none."""
    stack = on_disk(facts.packages)
    return [
        *_runfile_driver(facts),
        *_mixed(stack),
        *unfinished(stack),
        *_incomplete_libcuda(facts, stack),
        *_without_module(facts, stack),
        *too_old(facts, stack, wish),
        *_unfit_for_gpus(facts, stack, gpus),
    ]


def _mixed(stack: list[DriverPackage]) -> list[Conflict]:
    """Packages of more than one vendor or branch."""
    core = [package for package in stack if not _REMNANT.match(package.name) and not COMPANION.match(package.name)]
    vendors = {package.vendor for package in core} - {UNKNOWN}
    if len(vendors) < 2 and len({package.branch for package in core}) < 2:
        return []
    kinds = sorted({(package.vendor, package.branch or "?") for package in core})
    parts = " and ".join(f"branch {branch} packaged by {VENDOR_NAMES[vendor]}" for vendor, branch in kinds)
    return [
        Conflict(
            f"packages of {parts}",
            "one driver is of one vendor and one branch: library and kernel module must have the same version",
        )
    ]


def unfinished(stack: list[DriverPackage]) -> list[Conflict]:
    """Packages that dpkg has not finished with."""
    names = [f"{package.name} ({package.package.abbreviation})" for package in stack if package.package.broken]
    if not names:
        return []
    return [
        Conflict(", ".join(names), "dpkg has begun with them and not finished, so that parts of the driver are missing")
    ]


def half_exchanged(facts: NodeFacts, stack: list[DriverPackage]) -> list[str]:
    """What dpkg was cut off in that is of another branch than the driver that is loaded."""
    loaded = (facts.module.loaded_version or "").partition(".")[0]
    return [package.name for package in stack if package.package.broken and package.branch != loaded]


def _incomplete_libcuda(facts: NodeFacts, stack: list[DriverPackage]) -> list[Conflict]:
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


def _without_module(facts: NodeFacts, stack: list[DriverPackage]) -> list[Conflict]:
    """Libraries that no kernel module belongs to, and nothing that would build one."""
    upcoming = facts.kernels.next_boot
    if not stack or upcoming in facts.module.on_disk or any(builds_modules(package) for package in stack):
        return []
    if facts.kernels.running in facts.module.on_disk:
        return []  # it works now; the next kernel is told as a warning
    return [
        Conflict("driver packages without a kernel module", "no package builds one, so that nothing drives the GPU")
    ]


def _runfile_driver(facts: NodeFacts) -> list[Conflict]:
    """A driver that dpkg knows nothing of."""
    if not facts.runfile.present:
        return []
    return [
        Conflict(
            f"a driver of NVIDIA's .run file ({', '.join(facts.runfile.traces)})",
            "it lies beside the packages, and neither apt nor DKMS keep it in step with them",
        )
    ]


def too_old(facts: NodeFacts, stack: list[DriverPackage], wish: Wish) -> list[Conflict]:
    """Below the version that the served image needs."""
    version = facts.libcuda.version or next((package.upstream_version for package in stack), None)
    if not wish.minimum_version or not version or not older(version, wish.minimum_version):
        return []
    return [
        Conflict(f"driver {version}", f"the CUDA release of the served image needs at least {wish.minimum_version}")
    ]


def _unfit_for_gpus(facts: NodeFacts, stack: list[DriverPackage], gpus: Gpus) -> list[Conflict]:
    """A branch or flavour that does not drive the GPUs of this node."""
    known = next((package for package in stack if package.branch), None)
    if known is None or known.branch is None or not gpus.generations:
        return []
    module = facts.module.on_disk.get(facts.kernels.running)
    flavour = module.open_flavour if module else None
    if flavour is None:
        flavour = is_open(stack, known.vendor, known.branch)
    if flavour is None:
        flavour = bool(gpus.need_open)  # nothing speaks against what fits
    return [Conflict(f"driver {known.branch}", objection) for objection in gpus.objections(known.branch, flavour)]


def differs(stack: list[DriverPackage], target: Target) -> list[Conflict]:
    """A driver that is sound, but not the one that is asked for."""
    others = {(package.vendor, package.branch) for package in stack if not of_target(package, target)}
    why = f"nvidia_driver_replace_healthy asks for {target}"
    return [
        Conflict(f"branch {branch} packaged by {VENDOR_NAMES[vendor]}{_flavour_of(stack, vendor, branch)}", why)
        for vendor, branch in sorted(others, key=str)
    ]


def _flavour_of(stack: list[DriverPackage], vendor: str, branch: str | None) -> str:
    flavour = is_open(stack, vendor, branch)
    return "" if flavour is None else f" ({OPEN if flavour else PROPRIETARY} kernel modules)"
