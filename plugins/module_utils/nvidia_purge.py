# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages of the driver have to go before the wanted one comes, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import (
    HELPER,
    NVIDIA,
    PINNING,
    STACK,
    UBUNTU,
    VENDOR_NAMES,
    DriverPackage,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package_names import offered
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_stack import (
    COMPANION,
    LIBCUDA_PACKAGE,
    flavour_is_open,
    of_target,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Target


@dataclass(frozen=True)
class Purge:
    """``name`` ends in an architecture where that is not the machine's own."""

    name: str
    version: str
    why: str


def of(facts: NodeFacts, target: Target) -> list[Purge]:
    """In the order of their names."""
    libcuda_gone = facts.libcuda.path is None
    stay = {*exchanged(facts, target)}
    native = facts.distribution.architecture
    found = (
        (package, "" if _spec(package, native) in stay else _why(package, target, libcuda_gone))
        for package in facts.packages
    )
    return sorted(
        (Purge(_spec(package, native), package.version, why) for package, why in found if why), key=lambda p: p.name
    )


def companions(facts: NodeFacts, target: Target, purged: Iterable[Purge]) -> list[str]:
    """The names under which purged companions of the driver come back."""
    there = {package.name for package in facts.packages if package.package.on_disk}
    matches = (COMPANION.match(entry.name) for entry in purged if entry.name in there)
    suffix = f"-{target.branch}" if target.vendor == UBUNTU or int(target.branch) < 590 else ""
    return sorted({match["name"] + suffix for match in matches if match})


def exchanged(facts: NodeFacts, target: Target) -> list[str]:
    """NVIDIA's packages of other branches that have the same name in the wanted one, where that is NVIDIA's too.

    apt brings them up or down in place, so that what depends on them, such as the metapackage cuda, can stay.
    """
    if target.vendor != NVIDIA:
        return []
    native = facts.distribution.architecture
    return sorted(
        package.name
        for package in facts.packages
        if package.kind == STACK
        and (package.vendor, package.package.state) == (NVIDIA, "i")
        and package.branch != target.branch
        and not package.package.reinstallation_required
        and flavour_is_open(package.name) in (None, target.open_flavour)
        and _spec(package, native) == package.name
        and offered(package.name, target.branch, facts.policy)
    )


def _why(package: DriverPackage, target: Target, libcuda_gone: bool) -> str:
    if package.kind == PINNING:
        return "" if package.branch == target.branch else f"pins apt to branch {package.branch}, not {target.branch}"
    if package.kind == HELPER:
        return _helper(package, target)
    if not of_target(package, target):
        return _foreign(package, target)
    if libcuda_gone and package.package.state == "i" and LIBCUDA_PACKAGE.match(package.name):
        return "installed, but its libcuda.so.1 is gone from disk: it comes back with the package"
    if package.package.reinstallation_required:
        return "dpkg was cut off in it and can only remove it"
    return ""


def _helper(package: DriverPackage, target: Target) -> str:
    if package.vendor == NVIDIA and target.vendor != NVIDIA and package.package.on_disk:
        return "of NVIDIA's packages, which the distribution's conflict with"
    if package.package.broken and package.branch not in (None, target.branch):
        return (
            f"of branch {package.branch}, and dpkg has not finished with it; it comes back if the new driver needs it"
        )
    return ""


def _foreign(package: DriverPackage, target: Target) -> str:
    branch = f"branch {package.branch}" if package.branch else "no known branch"
    what = f"{branch} packaged by {VENDOR_NAMES[package.vendor]}"
    if not package.package.on_disk:
        return f"{what}, removed before, but its configuration is left"
    same = package.vendor == target.vendor and package.branch == target.branch
    if same:
        flavour = "open" if flavour_is_open(package.name) else "proprietary"
        return f"brings the {flavour} kernel modules, wanted are the {target.flavour} ones"
    return f"{what}, in the way of branch {target.branch} packaged by {VENDOR_NAMES[target.vendor]}"


def _spec(package: DriverPackage, native: str) -> str:
    architecture = package.package.architecture
    return package.name if architecture in (native, "all", "") else f"{package.name}:{architecture}"
