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
    nvidia_kept,
    nvidia_pin,
    nvidia_reboot,
    nvidia_stack,
    nvidia_stops,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_conflicts import Conflict
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts, kernel_flavour
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import Gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package_names import package_names
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import (
    INSTALL,
    REPAIR,
    STOPPED,
    Plan,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_purge import companions, exchanged, of
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
    if not facts.modules_loadable:
        return nvidia_kept.in_container(facts, wish, gpus, wanted)
    conflicts = nvidia_conflicts.find(facts, wish, gpus)
    if facts.cuda_works and not wish.replace_healthy and not nvidia_conflicts.too_old(facts, stack, wish):
        return nvidia_kept.kept(facts, wish, gpus, wanted, conflicts)
    if not stack and not conflicts:
        return _replacement(facts, wish, gpus, wanted, INSTALL, [])
    if not conflicts and wish.replace_healthy:
        conflicts = nvidia_conflicts.differs(stack, wanted)
    if conflicts:
        return _replacement(facts, wish, gpus, wanted, REPAIR, conflicts)
    return nvidia_kept.kept(facts, wish, gpus, wanted)


def _target(facts: NodeFacts, wish: Wish, gpus: Gpus) -> Target:
    """Left to us, open modules of the wanted branch that are there already stay open, if the GPUs allow it."""
    wanted = target(wish, facts.distribution, gpus.open_flavour(wish.flavour))
    there = nvidia_stack.is_open(nvidia_stack.on_disk(facts.packages), wanted.vendor, wanted.branch)
    if wish.flavour == AUTO and there and not gpus.need_proprietary:
        return target(wish, facts.distribution, True)
    return wanted


def _replacement(
    facts: NodeFacts, wish: Wish, gpus: Gpus, wanted: Target, state: str, conflicts: list[Conflict]
) -> Plan:
    """For a node without a driver, and for one whose driver cannot stay."""
    plan = Plan(state, str(wanted), conflicts)
    plan.purge = of(facts, wanted)
    plan.dpkg_finish = _to_finish(facts, plan)
    names = package_names(wanted, facts.distribution, kernel_flavour(facts.kernels), facts.policy)
    beside = (*companions(facts, wanted, plan.purge), *exchanged(facts, wanted), *wish.owed)
    plan.install = list(dict.fromkeys([*names, *beside]))
    plan.candidates = {name: f"{wanted.branch}.*" for name in plan.install if not name.startswith("linux-")}
    plan.pin = nvidia_pin.of(wanted, facts.distribution)
    rivals = rival_sources(facts, wish)
    plan.remove_files = [*rivals.superseded, *retired_sources(facts)]
    plan.runfile_uninstall = facts.runfile.uninstaller is not None and wish.remove_runfile
    plan.dkms_remove = _stale_dkms(facts)
    if wanted.uses_dkms:
        nvidia_headers.needed(facts).add_to(plan)
    plan.hold_changes = _held(facts, plan)
    plan.reboot_reasons = [*plan.reboot_first, *nvidia_reboot.reasons(facts, replaced_by=f"branch {wanted.branch}")]
    if wanted.uses_dkms and plan.reboot_reasons and not plan.reboot_first and not plan.stops:
        plan.stops += [text for text in (nvidia_headers.no_way_back(facts),) if text]
    plan.warnings += gpus.assumptions
    plan.stops += gpus.objections(wanted.branch, wanted.open_flavour)
    plan.stops += nvidia_stops.find(facts, wish, wanted, names, plan.hold_changes)
    plan.stops += rivals.reasons
    if plan.stops:
        plan.state = STOPPED
    return plan


def _to_finish(facts: NodeFacts, plan: Plan) -> list[str]:
    """What dpkg has begun with: what stays, or all of it, where a driver that is finished would be kept."""
    gone = {entry.name.partition(":")[0] for entry in plan.purge}
    unfinished = nvidia_conflicts.unfinished(nvidia_stack.on_disk(facts.packages))
    only = bool(unfinished) and plan.conflicts == unfinished
    return nvidia_stack.unfinished(facts, () if only else gone)


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
