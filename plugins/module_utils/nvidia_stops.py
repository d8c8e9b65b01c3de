# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reasons not to touch the driver of a node, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import older
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package_names import in_branch
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import STOPPED, Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import (
    SUPPORTED,
    Target,
    Wish,
)

_BOOT_FREE_BYTES = 300 * 10**6


def find(facts: NodeFacts, wish: Wish, target: Target, names: Sequence[str], held: Sequence[str]) -> list[str]:
    """Those that hold for installing this target."""
    found = (
        _distribution(facts),
        _branch_too_old(wish, target),
        _not_offered(facts, wish, target, names),
        _secure_boot(facts, wish, target),
        _unknown_owner(facts),
        _runfile(facts, wish),
        _held(wish, held),
        _boot_is_full(facts),
    )
    return [reason for reason in found if reason]


def add_locked(plan: Plan, holder: int, seconds: int) -> None:
    """Stop a plan that was made while another process was changing packages."""
    plan.stops.append(
        f"Another process (PID {holder or 'unknown, in another container'}) has been changing packages for more than "
        f"{seconds} seconds, so that what was seen of the driver may be half of it. Wait for it, and run this again."
    )
    plan.state = STOPPED


def _distribution(facts: NodeFacts) -> str:
    if facts.distribution.supported:
        return ""
    known = "; ".join(f"{name} {', '.join(releases)}" for name, releases in SUPPORTED.items())
    here = f"{facts.distribution.id} {facts.distribution.release} {facts.distribution.architecture}".strip()
    return f"This is {here or 'an unknown system'}. A driver is installed on {known} (amd64, arm64) only."


def _branch_too_old(wish: Wish, target: Target) -> str:
    newest_possible = f"{target.branch}.999.99"
    if not wish.minimum_version or not older(newest_possible, wish.minimum_version):
        return ""
    needed = f"The CUDA release of the served image needs driver {wish.minimum_version} or newer"
    if wish.source == "distribution" and target.vendor == "debian":
        return f"{needed}, and Debian itself has branch {target.branch}. Set nvidia_driver_source to nvidia."
    return f"{needed}, and branch {target.branch} is asked for. Set nvidia_driver_branch to a later one."


def _not_offered(facts: NodeFacts, wish: Wish, target: Target, names: Sequence[str]) -> str:
    """The distribution's packages must be known already; NVIDIA's become known with its repository."""
    if wish.source != "distribution" or not facts.apt_lists or not facts.apt_lists_fresh:
        return ""
    missing = [
        name
        for name in names
        if not (policy := facts.policy.get(name))
        or not policy.versions
        or not (name.startswith("linux-") or any(in_branch(version, target.branch) for version in policy.versions))
    ]
    if not missing:
        return ""
    component = "restricted" if target.vendor == "ubuntu" else "non-free, contrib and non-free-firmware"
    return (
        f"apt does not know {', '.join(missing)} in branch {target.branch}. Either the component {component} is not "
        "enabled, or the distribution does not have this branch for this kernel. Enable it, or choose another "
        "nvidia_driver_branch or nvidia_driver_source."
    )


def _secure_boot(facts: NodeFacts, wish: Wish, target: Target) -> str:
    if not facts.secure_boot or not target.uses_dkms or wish.accept_secure_boot:
        return ""
    if facts.secure_boot_key_enrolled or _takes_modules_of_dkms(facts):
        return ""
    return (
        "Secure Boot is on, and the firmware does not know the key that DKMS signs modules with: the kernel refuses "
        "them. Enrol the key (mokutil --import, then at the console of the machine during a boot), turn Secure Boot "
        "off in the firmware, or, on Ubuntu, set nvidia_driver_source to distribution: its modules are signed. Where "
        "the kernel takes them all the same, set nvidia_driver_accept_secure_boot to true."
    )


def _takes_modules_of_dkms(facts: NodeFacts) -> bool:
    """Whether the module that is loaded now was built, and so signed, by DKMS."""
    return any(
        (module.kernel, module.version, module.status)
        == (facts.kernels.running, facts.module.loaded_version, "installed")
        for module in facts.dkms
    )


def _unknown_owner(facts: NodeFacts) -> str:
    package = facts.libcuda.package
    if package is None or package in {known.name for known in facts.packages}:
        return ""
    return (
        f"libcuda.so.1 {facts.libcuda.version or ''} belongs to the package {package}, which is none of the packages "
        "of NVIDIA's, Ubuntu's or Debian's driver that are known here; the guest driver of a vGPU is one such. Another "
        f"driver beside it would break both. If it may go, remove it yourself (apt-get purge {package}), else bring it "
        "up to date the way it came."
    )


def _runfile(facts: NodeFacts, wish: Wish) -> str:
    if not facts.runfile.present:
        return ""
    traces = ", ".join(facts.runfile.traces)
    if facts.runfile.uninstaller is None:
        return (
            f"A libcuda.so.1 that no package owns is there ({traces}), and no uninstaller of NVIDIA's .run file. What "
            "else came with it is not known. Run the .run file that installed it with --uninstall, or remove its "
            "files by hand."
        )
    if wish.remove_runfile:
        return ""
    return (
        f"A driver of NVIDIA's .run file is installed ({traces}). Packages beside it would mix two drivers. Set "
        "nvidia_driver_remove_runfile to true to let its own uninstaller remove it."
    )


def _held(wish: Wish, held: Sequence[str]) -> str:
    if not held or wish.change_held:
        return ""
    return (
        f"Packages that would have to change are on hold: {', '.join(held)}. Somebody wanted them to stay. Set "
        "nvidia_driver_change_held to true to change them all the same."
    )


def _boot_is_full(facts: NodeFacts) -> str:
    if facts.boot_free_bytes >= _BOOT_FREE_BYTES:
        return ""
    return (
        f"/boot has {facts.boot_free_bytes // 10**6} MB left. An initramfs with NVIDIA's firmware needs "
        f"{_BOOT_FREE_BYTES // 10**6} MB, and one that is cut off does not boot. Remove old kernels (apt-get "
        "autoremove)."
    )
