# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a node may be rebooted now, and what to say when it may not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

AUTO, NEVER, IF_NEEDED_FAIL = "auto", "never", "if_needed_fail"
POLICIES = (AUTO, NEVER, IF_NEEDED_FAIL)

# What reaches another machine, that comes back by itself. Everything else (local, docker, chroot, …) is not rebooted.
_REMOTE = frozenset({"ssh", "paramiko", "paramiko_ssh", "libssh", "ssh_sys", "smart"})


@dataclass(frozen=True)
class RebootDecision:
    """``action``: none (no reason), reboot, stop (the play must not go on), leave (go on, the reboot is the user's).

    ``message`` says why, and for stop and leave what to do.
    """

    action: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """For filters."""
        return asdict(self)


@dataclass(frozen=True)
class Boot:
    """What boots next: the kernel, None if unknown, and the kernels that have the module, None if it is not asked."""

    kernel: str | None = None
    with_module: Collection[str] | None = None

    @property
    def lacks_module(self) -> bool:
        """A reboot would end without the driver."""
        return self.kernel is not None and self.with_module is not None and self.kernel not in self.with_module


def decide(
    reasons: Sequence[str],
    *,
    policy: str,
    setting: str,
    connection: str,
    facts: Mapping[str, Any],
    controller_machine_id: str | None = None,
    boot: Boot | None = None,
) -> RebootDecision:
    """What becomes of the reasons to reboot.

    :param policy: one of POLICIES; ``setting`` is the variable that says it, for messages.
    :param connection: the connection plugin by which the node is reached, with or without its collection.
    :param facts: ansible_facts of the node, of which virtualization and machine id are read.
    :param controller_machine_id: /etc/machine-id of the machine that Ansible runs on.
    :raises ValueError: the policy is none.
    """
    if policy not in POLICIES:
        raise ValueError(f"{setting} is {policy}; it can be {', '.join(POLICIES)}")
    if not reasons:
        return RebootDecision("none", "No reboot is needed.")
    needed = f"A reboot is needed. {' '.join(reason.rstrip('. ') + '.' for reason in reasons)}"
    if policy == IF_NEEDED_FAIL:
        return RebootDecision("stop", f"{needed} {setting} is {policy}. {_BY_HAND}")
    if boot is not None and boot.lacks_module:
        return RebootDecision(
            "stop",
            f"{needed} But the kernel that boots next, {boot.kernel}, has no nvidia module: the GPU would be gone. "
            "Look at dkms status and at /var/lib/dkms/nvidia/*/build/make.log for why it was not built (most often its "
            "headers are missing), then run this again.",
        )
    if policy == NEVER:
        return RebootDecision("leave", f"{needed} {setting} is {policy}. {_BY_HAND}")
    obstacle = _obstacle(connection, facts, controller_machine_id)
    if obstacle:
        return RebootDecision("leave", f"{needed} {obstacle}, which is never rebooted from here. {_BY_HAND}")
    return RebootDecision("reboot", needed)


_BY_HAND = "Reboot the node, then run this again."


def _obstacle(connection: str, facts: Mapping[str, Any], controller_machine_id: str | None) -> str:
    plugin = connection.rpartition(".")[2]
    if plugin not in _REMOTE:
        return f"The node is reached by the connection {connection}"
    if "container" in (facts.get("virtualization_tech_guest") or ()):
        return "The node is a container"
    if controller_machine_id and facts.get("machine_id") == controller_machine_id.strip():
        return "The node is the machine that Ansible runs on"
    return ""
