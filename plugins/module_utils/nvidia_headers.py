# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel headers that DKMS builds the module with: those of the running kernel, and of the kernels to come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.toolserve.gpunode.plugins.module_utils.node_kernels import headers_package
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import Plan


@dataclass(frozen=True)
class Headers:
    """``packages`` to install; ``kernel_upgrade``: among them is a kernel, because the running one's headers are gone.

    ``reboot_first`` are reasons to boot another kernel before the driver is built.
    """

    packages: list[str] = field(default_factory=list)
    kernel_upgrade: bool = False
    reboot_first: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add_to(self, plan: Plan) -> None:
        """Make them part of a plan."""
        plan.headers = self.packages
        plan.kernel_upgrade = self.kernel_upgrade
        plan.reboot_first = self.reboot_first
        plan.stops += self.stops
        plan.warnings += self.warnings


def needed(facts: NodeFacts) -> Headers:
    """What is not there yet."""
    kernels = facts.kernels
    running, upcoming, meta = kernels.running, kernels.next_boot, kernels.meta_headers_package
    metas = [meta] if meta and not _installed(meta, facts) and _available(meta, facts) else []
    exact = headers_package(running)
    warnings = [] if meta else [_no_meta(running)]
    own = [exact] if running not in kernels.headers_installed else []
    if running != upcoming and obtainable(upcoming, facts):
        reason = (
            f"The kernel {running} runs, {upcoming} is installed and boots next. The module is to be built for the "
            "kernel that stays."
        )
        newer = [headers_package(upcoming)] if upcoming not in kernels.headers_installed else []
        now = own if obtainable(running, facts) else []
        return Headers([*now, *newer, *metas], reboot_first=[reason], warnings=warnings)
    if running == upcoming and obtainable(running, facts):
        return Headers([*own, *metas], warnings=warnings)
    image = kernels.meta_image_package
    if image and _newer_image(image, facts):
        reason = (
            f"apt no longer has {headers_package(upcoming)}, the headers of the kernel that boots next. The newest "
            f"kernel ({image}) is installed with its headers, and has to be booted before the module can be built."
        )
        both = [name for name in (image, meta) if name and _available(name, facts)]
        return Headers(both, kernel_upgrade=True, reboot_first=[reason], warnings=warnings)
    if obtainable(running, facts):
        return Headers([*own, *metas], warnings=[*warnings, _next_without(upcoming)])
    if not facts.apt_lists_fresh:
        return Headers([exact, *metas], warnings=[*warnings, _lists_are_old(exact)])
    return Headers(stops=[_nowhere(exact, running)], warnings=warnings)


def no_way_back(facts: NodeFacts) -> str:
    """Why a reboot that the new driver needs would end without it; nothing where old package lists say so."""
    upcoming = facts.kernels.next_boot
    if obtainable(upcoming, facts) or not facts.apt_lists_fresh:
        return ""
    return f"The driver needs a reboot, and there is no module to come back with. {_next_without(upcoming)}"


def of_kernels(facts: NodeFacts, kernels: Iterable[str]) -> list[str]:
    """What a driver that is sound otherwise needs for the kernels that lack its module, as far as apt has it."""
    wanted = [headers_package(kernel) for kernel in kernels if kernel not in facts.kernels.headers_installed]
    meta = facts.kernels.meta_headers_package
    if meta and not _installed(meta, facts):
        wanted.append(meta)
    return [name for name in wanted if _available(name, facts)]


def obtainable(kernel: str, facts: NodeFacts) -> bool:
    """Whether DKMS can build for a kernel: its headers are there, or apt has them."""
    return kernel in facts.kernels.headers_installed or _available(headers_package(kernel), facts)


def _available(name: str, facts: NodeFacts) -> bool:
    """Whether apt has it; where apt's lists were never read, that is not known and taken for granted."""
    policy = facts.policy.get(name)
    return not facts.apt_lists or bool(policy and policy.candidate)


def _installed(name: str, facts: NodeFacts) -> bool:
    return any(package.name == name and package.state == "i" for package in facts.dpkg)


def _newer_image(image: str, facts: NodeFacts) -> bool:
    policy = facts.policy.get(image)
    return bool(policy and policy.candidate and policy.candidate != policy.installed)


def _no_meta(running: str) -> str:
    return (
        f"No meta package brings headers for kernels like {running}. A later kernel will boot without NVIDIA's module "
        "unless its headers are installed by hand."
    )


def _next_without(kernel: str) -> str:
    return (
        f"The kernel {kernel} boots next, its headers are not installed and apt does not have them: no module can be "
        "built for it, and booted it runs without its GPU. Remove it, or install its headers."
    )


def _lists_are_old(exact: str) -> str:
    return (
        f"apt's package lists are more than an hour old and do not have {exact}, the headers of the running kernel. "
        "Whether they are to be had shows once the lists are read again (apt-get update)."
    )


def _nowhere(exact: str, running: str) -> str:
    return (
        f"The headers of the running kernel {running} are not installed and apt does not have {exact}, nor a newer "
        "kernel of its flavour. DKMS cannot build the module without them. Install a kernel of the distribution and "
        "reboot, or add the repository that this kernel came from."
    )
