# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for a driver that stays: because it is sound, because it works, or because it is not ours to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    nvidia_conflicts,
    nvidia_headers,
    nvidia_pin,
    nvidia_reboot,
    nvidia_stack,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_conflicts import Conflict
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import Gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import UNKNOWN, DriverPackage
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import HEALTHY, REPAIR, STOPPED, Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_stale_sources import retired_sources
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Target, Wish


def kept(facts: NodeFacts, wish: Wish, gpus: Gpus, wanted: Target, conflicts: Sequence[Conflict] = ()) -> Plan:
    """It may still lack its module for a kernel, dpkg's last step, or what an interrupted run owes.

    :param conflicts: what would be reason enough to replace it, if it did not work.
    """
    stack = nvidia_stack.on_disk(facts.packages)
    plan = Plan(HEALTHY, str(wanted), remove_files=retired_sources(facts), kept_pin=_pin(facts, stack, wanted))
    # What works is worth no interruption.
    (plan.warnings if facts.cuda_works else plan.reboot_reasons).extend(nvidia_reboot.reasons(facts))
    plan.warnings += [text for text in (nvidia_reboot.unrelated_request(facts),) if text]
    half = nvidia_conflicts.half_exchanged(facts, stack) if facts.cuda_works else []
    plan.stops += [_half_exchanged(facts, half)] if half else []
    unfinished = nvidia_conflicts.unfinished(stack)
    endured = [conflict for conflict in conflicts if conflict not in unfinished]
    plan.warnings += [
        f"{conflict.what}: {conflict.why}. CUDA works all the same and the version will do, so it stays. Set "
        "nvidia_driver_replace_healthy to true to have it replaced."
        for conflict in endured
    ]
    plan.warnings += [
        f"{conflict.what} is sound and stays, although {wanted} is asked for. Set nvidia_driver_replace_healthy to "
        "true to replace it."
        for conflict in ([] if endured else nvidia_conflicts.differs(stack, wanted))
    ]
    if not gpus.generations:
        plan.stops += gpus.objections(wanted.branch, wanted.open_flavour)
    if unfinished:
        plan.state, plan.conflicts, plan.dpkg_finish = REPAIR, unfinished, nvidia_stack.unfinished(facts)
    _add_modules(plan, facts, stack)
    _add_owed(plan, stack, wish, wanted)
    if plan.stops:
        plan.state = STOPPED
    return plan


def _half_exchanged(facts: NodeFacts, names: Sequence[str]) -> str:
    return (
        f"The driver {facts.module.loaded_version} works, and dpkg was cut off while it installed packages of another "
        f"branch: {', '.join(names)}. The next boot may find no driver. Set nvidia_driver_replace_healthy to true "
        f"to have both replaced, or remove what is not finished yourself (apt-get purge {' '.join(names)})."
    )


def _pin(facts: NodeFacts, stack: Sequence[DriverPackage], wanted: Target) -> dict[str, str] | None:
    """Of the branch that stays; none where that is not one branch of one vendor."""
    there = {(package.vendor, package.branch) for package in stack}
    if len(there) != 1:
        return None
    vendor, branch = there.pop()
    if vendor == UNKNOWN or branch is None:
        return None
    return nvidia_pin.of(replace(wanted, vendor=vendor, branch=branch), facts.distribution)


def _add_owed(plan: Plan, stack: Sequence[DriverPackage], wish: Wish, wanted: Target) -> None:
    there = {package.name for package in stack}
    plan.install = [name for name in wish.owed if name not in there]
    if plan.install:
        plan.state = REPAIR
        plan.candidates = {name: f"{wanted.branch}.*" for name in plan.install}
        plan.conflicts.append(
            Conflict(f"{', '.join(plan.install)} missing", "an interrupted run has removed it and not brought it back")
        )


def in_container(facts: NodeFacts, wish: Wish, gpus: Gpus, wanted: Target) -> Plan:
    """Kernel and module are the host's: what works stays, and anything else is to be put right there."""
    too_old = nvidia_conflicts.too_old(facts, nvidia_stack.on_disk(facts.packages), wish)
    plan = Plan(HEALTHY, str(wanted), remove_files=retired_sources(facts))
    if not gpus.generations:
        plan.stops += gpus.objections(wanted.branch, wanted.open_flavour)
    if too_old:
        plan.stops.append(f"{_of_host(facts)} It is too old: {too_old[0].why}. Install a newer driver on the host.")
    elif not facts.cuda_works:
        plan.stops.append(f"{_of_host(facts)} CUDA does not work here: {_why_not(facts)}.")
    elif wish.replace_healthy:
        plan.warnings.append(f"{_of_host(facts)} nvidia_driver_replace_healthy changes nothing here.")
    if plan.stops:
        plan.state = STOPPED
    return plan


def _of_host(facts: NodeFacts) -> str:
    version = facts.module.loaded_version
    return (
        "This is a container that may not load kernel modules, so that the driver's module is that of its host "
        f"({version or 'none is loaded'})."
    )


def _why_not(facts: NodeFacts) -> str:
    if facts.module.loaded_version is None:
        return "install the driver on the host first, and pass its devices into the container"
    if facts.libcuda.path is None:
        return (
            f"no libcuda.so.1 is here. Install the driver's libraries in exactly the version "
            f"{facts.module.loaded_version}, without kernel modules (with a .run file: --no-kernel-modules)"
        )
    cause = facts.cuda.cause if facts.cuda else None
    return f"{cause.symptom}. {cause.cause} {cause.fix}".rstrip(".") if cause else "it could not be started"


def _add_modules(plan: Plan, facts: NodeFacts, stack: Sequence[DriverPackage]) -> None:
    """The module for the running and the next kernel, as far as it can be built for them."""
    lacking = nvidia_stack.kernels_without_module(facts)
    if not lacking:
        return
    if not any(nvidia_stack.builds_modules(package) for package in stack):
        plan.warnings.append(
            f"No NVIDIA module is there for the kernel {', '.join(lacking)}. These packages do not build one: install "
            "the linux-modules-nvidia package of that kernel, or what else has brought the module."
        )
        return
    possible = [kernel for kernel in lacking if nvidia_headers.obtainable(kernel, facts)]
    nowhere = [kernel for kernel in lacking if kernel not in possible]
    somewhere = facts.cuda_works or any(
        kernel in facts.module.on_disk for kernel in (facts.kernels.running, facts.kernels.next_boot)
    )
    if possible or not somewhere:
        plan.state = REPAIR
        plan.conflicts += [
            Conflict(f"no NVIDIA module for the kernel {kernel}", "it would run without its GPU")
            for kernel in possible or lacking
        ]
    if possible:
        plan.dkms_autoinstall = possible
        plan.headers = nvidia_headers.of_kernels(facts, possible)
    elif not somewhere:
        nvidia_headers.needed(facts).add_to(plan)
        plan.reboot_reasons = [*plan.reboot_first, *plan.reboot_reasons]
        return
    plan.warnings += [
        f"No NVIDIA module is there for the kernel {kernel}, and none can be built: its headers are not installed and "
        "apt does not have them. Booted, it runs without its GPU."
        for kernel in nowhere
    ]
