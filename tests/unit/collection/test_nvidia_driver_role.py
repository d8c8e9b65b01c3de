# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role nvidia_driver come to: addresses, keys, command lines, reasons to stop."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).parents[3] / "roles/nvidia_driver"
PURGE = [
    {"name": "libcuda1", "version": "550.163.01-2", "why": "of Debian"},
    {"name": "nvidia-smi", "version": "550.163.01-2", "why": "of Debian"},
    {"name": "libcuda1:i386", "version": "550.163.01-2", "why": "of Debian"},
]
PLAN: dict[str, Any] = {
    "state": "repair",
    "install": ["cuda-drivers", "nvidia-fabricmanager"],
    "candidates": {"cuda-drivers": "595.*", "libcuda1": "595.*"},
    "headers": ["linux-headers-amd64"],
    "purge": PURGE,
    "stops": [],
    "reboot_reasons": [],
}
PACKAGED = """\
[Service]
ExecStartPre=/bin/true
ExecStart=/usr/bin/nvidia-persistenced --user nvpd --no-persistence-mode --verbose
"""


def value(name: str, **variables: Any) -> Any:
    """What the variable of the role comes to beside these."""
    loader = DataLoader()
    known = {
        **loader.load_from_file(str(ROLE / "defaults/main.yml"), trusted_as_template=True),
        **loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True),
        **variables,
    }
    return Templar(loader=loader, variables=known).template(known[name])


def node(distribution: str, version: str, architecture: str = "x86_64") -> dict[str, Any]:
    return {
        "distribution": distribution,
        "distribution_version": version,
        "distribution_major_version": version.partition(".")[0],
        "architecture": architecture,
    }


OLD_KEY = ("3bf863cc.pub", "EB693B3035CD5710E231E123A4B469963BF863CC")
NEW_KEY = ("8793F200.pub", "02182E60104FCDC26EAE1B8597A5D4CB8793F200")


@pytest.mark.parametrize(
    ("facts", "folder", "key"),
    [
        (node("Ubuntu", "22.04"), "ubuntu2204/x86_64", OLD_KEY),
        (node("Ubuntu", "24.04"), "ubuntu2404/x86_64", OLD_KEY),
        (node("Ubuntu", "24.04", "aarch64"), "ubuntu2404/sbsa", OLD_KEY),
        (node("Debian", "12.11"), "debian12/x86_64", OLD_KEY),
        (node("Debian", "13.2"), "debian13/x86_64", NEW_KEY),
    ],
)
def test_repository_and_key_of_each_distribution(facts: dict[str, Any], folder: str, key: tuple[str, str]) -> None:
    url = f"https://developer.download.nvidia.com/compute/cuda/repos/{folder}"
    assert value("nvidia_driver_repository_url", ansible_facts=facts) == url
    assert value("nvidia_driver_repository_key_url", ansible_facts=facts) == f"{url}/{key[0]}"
    assert value("nvidia_driver_repository_key_fingerprint", ansible_facts=facts) == key[1]


def test_packages_are_asked_for_in_the_branch() -> None:
    packages = value("__nvidia_driver_packages", __nvidia_driver_plan=PLAN)
    assert packages == ["cuda-drivers=595.*", "nvidia-fabricmanager"]


STAGE = {"__nvidia_driver_plan": PLAN, "__nvidia_driver_stage": {"path": "/tmp/stage"}}


@pytest.mark.parametrize("held", [False, True])
def test_rehearsal_is_the_installation_on_a_node_behind_the_purge(held: bool) -> None:
    command = value("__nvidia_driver_rehearsal", nvidia_driver_change_held=held, **STAGE)
    assert command[:2] == ["apt-get", "--simulate"]
    assert "--option=Dir::State::status=/tmp/stage/status" in command
    assert ("--allow-change-held-packages" in command) is held
    asked = command[command.index("install") + 1 :]
    assert asked == ["linux-headers-amd64", "cuda-drivers=595.*", "nvidia-fabricmanager"]


def test_what_is_downloaded_is_what_was_rehearsed() -> None:
    known = {**STAGE, "nvidia_driver_change_held": False}
    rehearsal, download = value("__nvidia_driver_rehearsal", **known), value("__nvidia_driver_download", **known)
    assert download[:3] == ["apt-get", "--download-only", "--yes"]
    assert download[3:] == rehearsal[2:]


@pytest.mark.parametrize(("also", "unplanned"), [("", []), ("Remv obs-studio [30.0]\n", ["obs-studio"])])
def test_what_apt_removes_beyond_the_plan_is_named(also: str, unplanned: list[str]) -> None:
    simulated = {"stdout": f"Remv nvidia-smi [550]\nRemv libcuda1:i386 [550]\n{also}Inst cuda-drivers (595)\n"}
    known = {"__nvidia_driver_plan": PLAN, "__nvidia_driver_simulated": simulated}
    assert value("__nvidia_driver_unplanned_removals", **known) == unplanned


def debt(install: list[str], left: dict[str, Any] | None = None, **enabled: str) -> dict[str, Any]:
    """What is owed on a node whose services are enabled or not, behind a run that has left something to be done."""
    services = [{"item": name.replace("_", "-"), "stdout": state} for name, state in enabled.items()]
    content = {"content": base64.b64encode(json.dumps(left).encode()).decode()} if left else {}
    return value(
        "__nvidia_driver_debt",
        __nvidia_driver_plan={**PLAN, "install": install},
        __nvidia_driver_services={"results": services or [{"item": "nvidia-fabricmanager", "skipped": True}]},
        __nvidia_driver_debt_file=content,
    )


@pytest.mark.parametrize(
    "fabric", ["nvidia-fabricmanager", "nvidia-fabricmanager-580", "cuda-drivers-fabricmanager-580"]
)
def test_services_that_were_enabled_come_back_with_their_packages(fabric: str) -> None:
    enabled = {"nvidia_fabricmanager": "enabled", "nvidia_imex": "disabled"}
    both = {"install": [fabric, "nvidia-imex"], "enable": ["nvidia-fabricmanager"]}
    assert debt(["cuda-drivers", fabric, "nvidia-imex"], **enabled) == both
    assert debt(["cuda-drivers", "nvidia-imex"], **enabled) == {"install": ["nvidia-imex"], "enable": []}
    assert debt([fabric], nvidia_fabricmanager="disabled") == {"install": [fabric], "enable": []}
    assert debt(["cuda-drivers"]) == {"install": [], "enable": []}


def test_what_an_interrupted_run_owes_is_not_forgotten() -> None:
    left = {"install": ["nvidia-fabricmanager"], "enable": ["nvidia-fabricmanager"]}
    assert debt(["cuda-drivers"], left, nvidia_fabricmanager="not-found") == left
    assert debt(["cuda-drivers", "nvidia-fabricmanager"], left) == left


def test_dkms_is_kept_from_what_goes_alone() -> None:
    dkms = [
        {"module": "nvidia", "version": "535.288.01", "kernel": "6.8", "status": "installed"},
        {"module": "nvidia", "version": "535.288.01", "kernel": "6.5", "status": "installed"},
        {"module": "nvidia-current", "version": "550.163.01", "kernel": "", "status": "added"},
        {"module": "nvidia", "version": "595.91.07", "kernel": "6.8", "status": "installed"},
    ]
    assert value("__nvidia_driver_dkms_overrides", __nvidia_driver_facts={"dkms": dkms}, __nvidia_driver_plan=PLAN) == [
        "/etc/dkms/nvidia-535.288.01.conf",
        "/etc/dkms/nvidia-current-550.163.01.conf",
    ]


@pytest.mark.parametrize(
    ("facts", "plan", "waits"),
    [
        ({}, {}, True),
        ({"headers_installed": ["6.8", "6.9"]}, {}, False),
        ({"on_disk": {}}, {}, False),
        ({}, {"dkms_autoinstall": ["6.8", "6.9"]}, False),
        ({}, {"purge": PURGE}, False),
        ({}, {"stops": ["Secure Boot is on."]}, False),
    ],
)
def test_a_driver_that_lacks_a_boot_alone_is_left_to_the_reboot(
    facts: dict[str, Any], plan: dict[str, Any], waits: bool
) -> None:
    kernels = {"running": "6.8", "next_boot": "6.9", "headers_installed": facts.get("headers_installed", ["6.9"])}
    module = {"on_disk": facts.get("on_disk", {"6.9": "595.91.07"})}
    of_boot = {**PLAN, "install": [], "purge": [], "dkms_autoinstall": ["6.8"], **plan}
    known = {"__nvidia_driver_plan": of_boot, "__nvidia_driver_facts": {"kernels": kernels, "module": module}}
    assert value("__nvidia_driver_waits_for_kernel", **known) is waits


@pytest.mark.parametrize(("rules", "older"), [({"exists": True, "mtime": 20.0}, ["6.8"]), ({"exists": False}, [])])
def test_initramfs_that_are_older_than_the_rules(rules: dict[str, Any], older: list[str]) -> None:
    images = {"6.8": {"exists": True, "mtime": 10.0}, "6.9": {"exists": True, "mtime": 30.0}, "7.0": {"exists": False}}
    found = {"results": [{"item": kernel, "stat": stat} for kernel, stat in images.items()]}
    known = {"__nvidia_driver_initramfs": found, "__nvidia_driver_module_rules": {"stat": rules}}
    assert value("__nvidia_driver_initramfs_older", **known) == older


@pytest.mark.parametrize(
    ("packaged", "line"),
    [
        (PACKAGED, "/usr/bin/nvidia-persistenced --user nvpd --verbose --persistence-mode"),
        ("ExecStart=/usr/bin/nvidia-persistenced\n", "/usr/bin/nvidia-persistenced --persistence-mode"),
        (
            "ExecStart=/usr/bin/nvidia-persistenced --persistence-mode --user root\n",
            "/usr/bin/nvidia-persistenced --user root --persistence-mode",
        ),
    ],
)
def test_persistence_daemon_keeps_the_options_of_its_package(packaged: str, line: str) -> None:
    unit = {"content": base64.b64encode(packaged.encode()).decode()}
    assert value("__nvidia_driver_persistenced", __nvidia_driver_unit=unit) == line


IDLE: dict[str, Any] = {
    "__nvidia_driver_docker_running": {"skipped": True},
    "__nvidia_driver_gpu_names": {"skipped": True},
    "__nvidia_driver_controller": "",
    "ansible_connection": "ssh",
    "ansible_facts": {},
}
PROCESSES = ["/proc/7/comm:python3", "/proc/8/comm:nvidia-persiste", "/proc/9/comm:nv-fabricmanage"]
BUSY: dict[str, Any] = {
    **IDLE,
    "__nvidia_driver_docker_running": {"json": [{"Names": ["/vllm-server"]}, {"Names": ["/db"]}]},
    "__nvidia_driver_gpu_names": {"stdout_lines": PROCESSES},
}


def reasons_to_stop(plan: dict[str, Any], policy: str, **variables: Any) -> list[str]:
    return value(
        "__nvidia_driver_reasons_to_stop",
        __nvidia_driver_plan={**PLAN, **plan},
        nvidia_driver_reboot=policy,
        **{**IDLE, **variables},
    )


def test_workload_is_interrupted_with_consent_alone() -> None:
    nouveau = {"reboot_reasons": ["nouveau is loaded."]}
    (reason,) = reasons_to_stop(nouveau, "auto", **BUSY)
    assert "ends what runs on this node: container db, container vllm-server, process python3 (7). Stop" in reason
    assert "nvidia_driver_allow_interruption: true" in reason
    assert reasons_to_stop(nouveau, "auto", **BUSY, nvidia_driver_allow_interruption=True) == []
    assert reasons_to_stop(nouveau, "auto") == []
    assert reasons_to_stop({**nouveau, "install": [], "state": "healthy"}, "auto", **BUSY) == []


def test_without_a_reboot_containers_go_on_and_what_uses_the_gpu_does_not() -> None:
    (reason,) = reasons_to_stop({"reboot_reasons": ["nouveau is loaded."]}, "never", **BUSY)
    assert "takes the GPU from what runs on this node: process python3 (7). Stop" in reason
    assert reasons_to_stop({}, "auto", **{**BUSY, "__nvidia_driver_gpu_names": {"stdout_lines": PROCESSES[1:]}}) == []


def test_the_plan_and_preflight_name_what_is_interrupted() -> None:
    known = {"__nvidia_driver_plan": {**PLAN, "warnings": []}, **BUSY}
    (note,) = value("__nvidia_driver_interruption_notes", **known)
    assert note.endswith("process python3 (7).")
    assert value("__nvidia_driver_interruption_notes", **{**known, **IDLE}) == []
    assert value("__nvidia_driver_preflight_notes", **known) == []
    assert value("__nvidia_driver_preflight_notes", **known, nvidia_driver_allow_interruption=True) == [note]


def test_reasons_to_stop_are_those_of_the_plan_and_a_reboot_that_may_not_be() -> None:
    nouveau = {"reboot_reasons": ["nouveau is loaded."]}
    assert reasons_to_stop({}, "if_needed_fail") == []
    assert reasons_to_stop({"stops": ["Secure Boot is on."]}, "auto") == ["Secure Boot is on."]
    for policy in ("auto", "never"):
        assert reasons_to_stop(nouveau, policy) == []
    (reason,) = reasons_to_stop(nouveau, "if_needed_fail")
    assert "nouveau is loaded. nvidia_driver_reboot is if_needed_fail. Set it to auto" in reason
    assert reasons_to_stop({**nouveau, "state": "healthy"}, "if_needed_fail") == []


def test_of_an_unknown_system_it_is_told_once() -> None:
    """The words are those of the planner and of the role preflight, read from where they stand."""
    planner = "This is {here or 'an unknown system'}. A driver is installed on"
    assert planner in (ROLE.parents[1] / "plugins/module_utils/nvidia_stops.py").read_text()
    preflight = "The roles know the packages of"
    assert preflight in (ROLE.parent / "preflight/vars/main.yml").read_text()
    stops = ["This is debian 11 amd64. A driver is installed on ubuntu 22.04 only.", "Secure Boot is on."]
    known = {
        "__nvidia_driver_plan": {**PLAN, "stops": stops},
        "nvidia_driver_reboot": "auto",
        **IDLE,
    }
    name = "__nvidia_driver_reasons_to_add"
    assert value(name, **known, gpunode_reasons_to_stop=["A port is in use."]) == stops
    assert value(name, **known, gpunode_reasons_to_stop=[f"This node runs Debian 11.9. {preflight} x."]) == stops[1:]
    assert value(name, **known) == stops


@pytest.mark.parametrize(("passed", "action"), [(True, "none"), (False, "reboot")])
def test_nothing_is_rebooted_where_cuda_works(passed: bool, action: str) -> None:
    decision = value(
        "__nvidia_driver_reboot_decision",
        __nvidia_driver_plan={**PLAN, "reboot_reasons": ["The node asks for a reboot."]},
        __nvidia_driver_facts={"kernels": {"next_boot": "6.8"}, "module": {"on_disk": {"6.8": "595.91.07"}}},
        __nvidia_driver_cuda={"passed": passed},
        ansible_connection="ssh",
        ansible_facts={},
    )
    assert decision["action"] == action


def test_preflight_tells_what_is_to_come() -> None:
    plan = {**PLAN, "warnings": ["A warning."], "reboot_reasons": ["nouveau is loaded."], "target": "branch 595"}
    known = {"__nvidia_driver_plan": plan, "__nvidia_driver_facts": {"libcuda": {"version": "595.91.07"}}}
    notes = value("__nvidia_driver_preflight_notes", **known)
    assert notes == ["A warning.", "The driver will need a reboot. nouveau is loaded."]
    assert value("__nvidia_driver_preflight_summary", **known) == ["branch 595 to be installed"]
    plan["state"] = "healthy"
    assert value("__nvidia_driver_preflight_notes", **known) == ["A warning."]
    assert value("__nvidia_driver_preflight_summary", **known) == ["driver 595.91.07"]
