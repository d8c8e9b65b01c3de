# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the facts of a node and the wish for a driver to a plan: what goes, what comes, and what stands in the way.

Nothing is removed without a conflict that the plan names, and a driver that is sound and new enough is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    nvidia_conflicts,
    nvidia_gpus,
    nvidia_headers,
    nvidia_pin,
    nvidia_reboot,
    nvidia_stack,
    nvidia_stops,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_conflicts import Conflict
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts, kernel_flavour
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import Gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_headers import Headers
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package_names import package_names
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import (
    HEALTHY,
    INSTALL,
    REPAIR,
    STOPPED,
    Plan,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_purge import companions, of
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_stale_sources import (
    retired_sources,
    rival_sources,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import (
    AUTO,
    Target,
    Wish,
    target,
)


def make(facts: NodeFacts, wish: Wish) -> Plan:
    """The plan for this node."""
    gpus = nvidia_gpus.read(facts.gpus)
    stack = nvidia_stack.on_disk(facts.packages)
    wanted = _target(facts, wish, gpus)
    conflicts = nvidia_conflicts.find(facts, wish, gpus)
    if not stack and not conflicts:
        return _replacement(facts, wish, gpus, wanted, INSTALL, [])
    if not conflicts and wish.replace_healthy:
        conflicts = nvidia_conflicts.differs(stack, wanted)
    if conflicts:
        return _replacement(facts, wish, gpus, wanted, REPAIR, conflicts)
    return _kept(facts, wish, gpus, wanted)


def _target(facts: NodeFacts, wish: Wish, gpus: Gpus) -> Target:
    """Left to us, open modules of the wanted branch that are there already stay open, if the GPUs allow it."""
    wanted = target(wish, facts.distribution, gpus.open_flavour(wish.flavour))
    there = nvidia_stack.is_open(nvidia_stack.on_disk(facts.packages), wanted.vendor, wanted.branch)
    if wish.flavour == AUTO and there and not gpus.need_proprietary:
        return target(wish, facts.distribution, True)
    return wanted


def _kept(facts: NodeFacts, wish: Wish, gpus: Gpus, wanted: Target) -> Plan:
    """For a sound driver; it may still lack its module for a kernel."""
    stack = nvidia_stack.on_disk(facts.packages)
    plan = Plan(HEALTHY, str(wanted), reboot_reasons=nvidia_reboot.reasons(facts))
    plan.remove_files = retired_sources(facts)
    plan.warnings += [text for text in (nvidia_reboot.unrelated_request(facts),) if text]
    plan.warnings += [
        f"{conflict.what} is sound and stays, although {wanted} is asked for. Set nvidia_driver_replace_healthy to "
        "true to replace it."
        for conflict in nvidia_conflicts.differs(stack, wanted)
    ]
    if not gpus.generations:
        plan.stops += gpus.objections(wanted.branch, wanted.open_flavour)
    lacking = nvidia_stack.kernels_without_module(facts)
    if lacking and any(nvidia_stack.builds_modules(package) for package in stack):
        plan.state = REPAIR
        plan.conflicts = [
            Conflict(f"no NVIDIA module for the kernel {kernel}", "it would run without its GPU") for kernel in lacking
        ]
        plan.dkms_autoinstall = lacking
        plan.headers = nvidia_headers.of_kernels(facts, lacking)
    elif lacking:
        plan.warnings.append(
            f"No NVIDIA module is there for the kernel {', '.join(lacking)}. These packages do not build one: install "
            "the linux-modules-nvidia package of that kernel."
        )
    if plan.stops:
        plan.state = STOPPED
    return plan


def _replacement(
    facts: NodeFacts, wish: Wish, gpus: Gpus, wanted: Target, state: str, conflicts: list[Conflict]
) -> Plan:
    """For a node without a driver, and for one whose driver cannot stay."""
    plan = Plan(state, str(wanted), conflicts)
    plan.purge = of(facts, wanted)
    gone = {entry.name.partition(":")[0] for entry in plan.purge}
    plan.dpkg_repair = any(package.broken and package.name not in gone for package in facts.dpkg)
    names = package_names(wanted, facts.distribution, kernel_flavour(facts.kernels), facts.policy)
    plan.install = [*names, *companions(facts, wanted, plan.purge)]
    plan.candidates = {name: f"{wanted.branch}.*" for name in plan.install if not name.startswith("linux-")}
    plan.pin = {"path": nvidia_pin.PATH, "content": nvidia_pin.preferences(wanted, facts.distribution)}
    rivals = rival_sources(facts, wish)
    plan.remove_files = [*rivals.superseded, *retired_sources(facts)]
    plan.runfile_uninstall = facts.runfile.uninstaller is not None and wish.remove_runfile
    plan.dkms_remove = _stale_dkms(facts)
    if wanted.uses_dkms:
        _add_headers(plan, nvidia_headers.needed(facts))
    plan.hold_changes = _held(facts, plan)
    plan.reboot_reasons = [*plan.reboot_first, *nvidia_reboot.reasons(facts, replaced_by=f"branch {wanted.branch}")]
    plan.warnings += gpus.assumptions
    plan.stops += gpus.objections(wanted.branch, wanted.open_flavour)
    plan.stops += nvidia_stops.find(facts, wish, wanted, names, plan.hold_changes)
    plan.stops += rivals.reasons
    if plan.stops:
        plan.state = STOPPED
    return plan


def _add_headers(plan: Plan, headers: Headers) -> None:
    plan.headers = headers.packages
    plan.kernel_upgrade = headers.kernel_upgrade
    plan.reboot_first = headers.reboot_first
    plan.stops += headers.stops
    plan.warnings += headers.warnings


def _stale_dkms(facts: NodeFacts) -> list[str]:
    """Trees that no package looks after: a removed package takes its own with it."""
    owned = {
        package.upstream_version
        for package in nvidia_stack.on_disk(facts.packages)
        if nvidia_stack.builds_modules(package) and package.package.state == "i"
    }
    trees = (f"{entry.module}/{entry.version}" for entry in facts.dkms if entry.version not in owned)
    return list(dict.fromkeys(trees))


def _held(facts: NodeFacts, plan: Plan) -> list[str]:
    concerned: Iterable[str] = [*(entry.name for entry in plan.purge), *plan.install, *plan.headers]
    stack = [package.name for package in nvidia_stack.on_disk(facts.packages)]
    names = {*concerned, *stack}
    return sorted({package.name for package in facts.dpkg if package.held and package.name in names})
