# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What apt would remove together with a plan's packages, because it depends on them."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.toolserve.gpunode.plugins.module_utils import apt_simulation
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import kind
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import STOPPED, Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_purge import Purge

# Changed holds are asked about elsewhere; here only the dependencies count.
_SIMULATE = ("apt-get", "--simulate", "--fix-broken", "--allow-change-held-packages", "purge")


def add(plan: Plan, facts: NodeFacts, ask: Ask) -> None:
    """Complete a plan with it: parts of the driver are purged too, packages of others are a reason to stop."""
    named = {entry.name.partition(":")[0] for entry in plan.purge}
    if not named:
        return
    removed = _removed_with([entry.name for entry in plan.purge], ask)
    if not named <= removed:
        _not_simulated(plan, facts)
        return
    dragged = removed - named
    packages = [package for package in facts.dpkg if package.name in dragged]
    plan.purge += [_purge(package) for package in packages if kind(package)]
    plan.purge_forced = any(package.reinstallation_required and package.name in named for package in facts.dpkg)
    foreign = [package.name for package in packages if not kind(package)]
    if foreign:
        plan.stops.append(_stop(foreign))
        plan.state = STOPPED


def _not_simulated(plan: Plan, facts: NodeFacts) -> None:
    """apt does nothing where packages are broken that the plan leaves; dpkg removes what it is told to all the same."""
    seen = "apt cannot simulate the removal of the driver packages that are in the way"
    if any(package.broken for package in facts.dpkg):
        plan.purge_forced = True
        plan.warnings.append(
            f"{seen}, because dpkg has not finished with others. So dpkg removes them and nothing else, once a "
            "simulation on a copy of its records has shown that apt then installs the driver and removes nothing."
        )
        return
    plan.stops.append(
        f"{seen}, so that nobody knows what else would go with them. Ask it why (apt-get --simulate --fix-broken purge "
        f"{plan.purge[0].name}; apt-get check), and correct that."
    )
    plan.state = STOPPED


def _removed_with(names: Iterable[str], ask: Ask) -> set[str]:
    return {name.partition(":")[0] for name in apt_simulation.removed(ask((*_SIMULATE, *names)))}


def _purge(package: Package) -> Purge:
    return Purge(package.name, package.version, "depends on packages that go; it comes back if the new driver needs it")


def _stop(foreign: list[str]) -> str:
    names = " ".join(foreign)
    return (
        f"apt would also remove {', '.join(foreign)}, because of dependencies on driver packages that have to go. "
        f"That is no part of the driver. Remove it yourself (apt-get remove {names}), and install it again behind the "
        "new driver."
    )
