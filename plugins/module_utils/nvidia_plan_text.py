# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan for a person to read: what --check shows."""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import (
    HEALTHY,
    INSTALL,
    REPAIR,
    STOPPED,
    Plan,
)

_TITLES = {
    HEALTHY: "The driver is sound and stays as it is.",
    INSTALL: "No driver is installed.",
    REPAIR: "The driver needs repair.",
    STOPPED: "The driver is not touched.",
}


def lines(plan: Plan) -> list[str]:
    """One statement a line, in the order of the steps."""
    text = [_TITLES[plan.state]]
    text += [f"Stop: {reason}" for reason in plan.stops]
    text += [f"Conflict: {conflict.what}: {conflict.why}" for conflict in plan.conflicts]
    text += [f"Unhold: {name}" for name in plan.hold_changes]
    text += [f"Let dpkg finish: {', '.join(plan.dpkg_finish)}"] if plan.dpkg_finish else []
    text += ["Run NVIDIA's own uninstaller"] if plan.runfile_uninstall else []
    text += [f"Purge: {', '.join(names)} ({why})" for why, names in _by_reason(plan).items()]
    text += (
        ["Purge them with dpkg --force-depends, because apt can do nothing on this node"] if plan.purge_forced else []
    )
    text += [f"Remove the DKMS tree: {tree}" for tree in plan.dkms_remove]
    text += [f"Put aside: {file.path}: {file.why}" for file in plan.remove_files]
    text += [f"Pin: {plan.pin['path']}"] if plan.pin else []
    text += [f"Headers: {name}" for name in plan.headers]
    text += [f"Reboot before the install: {reason}" for reason in plan.reboot_first]
    text += [f"Build the module for: {kernel}" for kernel in plan.dkms_autoinstall]
    text += [f"Install: {name} {plan.candidates.get(name, '')}".rstrip() for name in plan.install]
    text += [f"Reboot: {reason}" for reason in plan.reboot_reasons if reason not in plan.reboot_first]
    return text + [f"Warning: {warning}" for warning in plan.warnings]


def _by_reason(plan: Plan) -> dict[str, list[str]]:
    """The packages to purge, with one reason said once."""
    reasons: dict[str, list[str]] = {}
    for entry in plan.purge:
        reasons.setdefault(entry.why, []).append(entry.name)
    return reasons
