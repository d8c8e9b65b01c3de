# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.reboot_decision import (
    POLICIES,
    Boot,
    RebootDecision,
    decide,
)

REASONS = ["nouveau is loaded", "the loaded module is 535.261.03, the installed one 595.91.07"]
MACHINE = {"virtualization_tech_guest": [], "virtualization_role": "host", "machine_id": "a" * 32}
KERNEL = "6.8.0-60-generic"


def decision(reasons: list[str] = REASONS, **changes: Any) -> RebootDecision:
    asked: dict[str, Any] = {
        "policy": "auto",
        "setting": "nvidia_driver_reboot",
        "connection": "ssh",
        "facts": MACHINE,
        "controller_machine_id": "b" * 32,
        "boot": Boot(KERNEL, [KERNEL]),
    }
    return decide(reasons, **{**asked, **changes})


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_reason_nothing_happens(policy: str) -> None:
    assert decision([], policy=policy, connection="local").action == "none"


@pytest.mark.parametrize("connection", ["ssh", "ansible.builtin.ssh", "paramiko_ssh", "ansible.netcommon.libssh"])
def test_another_machine_is_rebooted(connection: str) -> None:
    found = decision(connection=connection)
    assert found.action == "reboot"
    assert all(reason in found.message for reason in REASONS)


@pytest.mark.parametrize("guest", [["kvm"], [], None])
def test_so_is_a_virtual_machine(guest: list[str] | None) -> None:
    assert decision(facts={**MACHINE, "virtualization_tech_guest": guest}).action == "reboot"
    assert decision(facts={}).action == "reboot"


@pytest.mark.parametrize(
    "connection",
    [
        "local",
        "ansible.builtin.local",
        "docker",
        "community.docker.docker",
        "community.docker.docker_api",
        "community.docker.nsenter",
        "containers.podman.podman",
        "community.general.lxd",
        "community.general.chroot",
        "kubernetes.core.kubectl",
        "something.unheard.of",
    ],
)
def test_no_reboot_over_any_other_connection(connection: str) -> None:
    found = decision(connection=connection)
    assert found.action == "leave"
    assert connection in found.message and "Reboot the node" in found.message


def test_no_reboot_of_a_container_behind_ssh() -> None:
    found = decision(facts={**MACHINE, "virtualization_tech_guest": ["docker", "container"]})
    assert (found.action, "is a container" in found.message) == ("leave", True)


def test_no_reboot_of_the_controller_behind_ssh() -> None:
    found = decision(controller_machine_id=MACHINE["machine_id"] + "\n")  # type: ignore[operator]
    assert (found.action, "Ansible runs on" in found.message) == ("leave", True)


@pytest.mark.parametrize("machine_id", [None, ""])
def test_a_controller_without_machine_id_is_no_obstacle(machine_id: str | None) -> None:
    assert decision(controller_machine_id=machine_id, facts={**MACHINE, "machine_id": ""}).action == "reboot"


@pytest.mark.parametrize(("policy", "action"), [("never", "leave"), ("if_needed_fail", "stop")])
@pytest.mark.parametrize("connection", ["ssh", "local"])
def test_the_policy_holds(policy: str, action: str, connection: str) -> None:
    found = decision(policy=policy, connection=connection)
    assert found.action == action
    assert f"nvidia_driver_reboot is {policy}" in found.message and REASONS[0] in found.message


@pytest.mark.parametrize("policy", ["auto", "never"])
def test_no_reboot_into_a_kernel_without_the_module(policy: str) -> None:
    found = decision(policy=policy, boot=Boot(KERNEL, ["6.8.0-31-generic"]))
    assert found.action == "stop"
    assert KERNEL in found.message and "dkms status" in found.message


@pytest.mark.parametrize("boot", [None, Boot(), Boot(None, []), Boot(KERNEL, None)])
def test_what_boots_next_may_be_unknown(boot: Boot | None) -> None:
    assert decision(boot=boot).action == "reboot"


def test_another_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="nvidia_driver_reboot is yes; it can be auto, never, if_needed_fail"):
        decision(policy="yes")
