# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml says of settings before it asks anybody: neither the server nor Robot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.ansible import captured_playbook
from tests.bench.hetzner.robot_api import Robot
from tests.bench.hetzner.robot_server import Server

pytestmark = pytest.mark.plays
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2xGh3KPwQcPjRkMcDRYtLWn3ZGzq2Xi4v4k8VxqYhd owner"
SETTINGS = {
    "ansible_host": "127.0.0.1",
    "ansible_port": 9,  # nobody answers there
    "hetzner_bootstrap_server_number": 1234567,
    "hetzner_bootstrap_disks": [{"serial": "S1"}],
    "hetzner_bootstrap_ssh_public_keys": [KEY],
}


@pytest.fixture
def robot() -> Iterator[Robot]:
    with Robot([Server(1234567, "127.0.0.1")]).serving() as robot:
        yield robot


def told(folder: Path, robot: Robot, playbook: str = "playbooks/bootstrap.yml", hosts: int = 1, **settings: Any) -> str:
    """What the play stops with, on one line."""
    given = {name: value for name, value in (SETTINGS | settings).items() if value is not None}
    extra = {name: given.pop(name) for name in list(given) if name.startswith("__")}
    inventory = folder / "hosts.yml"
    inventory.write_text(json.dumps({"gpunodes": {"hosts": {f"gpu{n}": given for n in range(1, hosts + 1)}}}))
    done = captured_playbook(playbook, str(inventory), "-e", json.dumps(extra), environment=robot.environment())
    print(done.stdout)  # shown where a test fails
    assert done.returncode == 2 and robot.refused_tunnels == []
    return " ".join(done.stdout.split())


def test_all_reasons_are_told_at_once(tmp_path: Path, robot: Robot) -> None:
    private_key = tmp_path / "id"
    private_key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n")
    said = told(
        tmp_path,
        robot,
        hetzner_bootstrap_server_number=None,
        hetzner_bootstrap_confirm="7654321",
        hetzner_bootstrap_robot_user="",
        hetzner_bootstrap_disks=[{"name": "nvme0n1"}],
        hetzner_bootstrap_boot_size="200M",
        hetzner_bootstrap_encrypt=True,
        hetzner_bootstrap_hostname="gpu_1",
        hetzner_bootstrap_admin_user="root",
        hetzner_bootstrap_ssh_public_keys=[str(private_key)],
        hetzner_bootstrap_ssh_public_key=["x"],
        hetzner_bootstrap_boot_timeout_seconds=0,
        ansible_connection="local",
    )
    expected = [
        "hetzner_bootstrap_server_number is not set",
        "hetzner_bootstrap_confirm is 7654321, and",
        "Robot needs a user and a password",
        "too little to tell a disk by",
        "hetzner_bootstrap_boot_size is '200M'",
        "hetzner_bootstrap_encryption_passphrase is empty",
        "hetzner_bootstrap_hostname is 'gpu_1'",
        "hetzner_bootstrap_admin_user is root",
        "is a private key",
        "Probably meant: hetzner_bootstrap_ssh_public_keys",
        "have to be more than 0",
        "ansible_connection is local",
    ]
    assert [reason for reason in expected if reason not in said] == []
    assert "Nothing was changed, and nobody was asked anything." in said and "canary" not in said
    assert robot.requests == []


def test_settings_that_are_right_are_no_reason(tmp_path: Path, robot: Robot) -> None:
    """A running server would be restarted: without its number that is the first and only reason."""
    said = told(tmp_path, robot)
    assert "1 reason to stop. Nothing was changed on this server." in said
    assert "-e hetzner_bootstrap_confirm=1234567" in said and robot.requests == []


def test_numbers_may_come_from_the_command_line(tmp_path: Path, robot: Robot) -> None:
    said = told(
        tmp_path,
        robot,
        hetzner_bootstrap_access="rescue",
        hetzner_bootstrap_server_number="1234567",
        hetzner_bootstrap_confirm=1234567,
        hetzner_bootstrap_install_timeout_seconds="3600",
    )
    assert "1 reason to stop" in said and "the server is not in the rescue system" in said


def test_without_the_api_nothing_of_robot_is_needed(tmp_path: Path, robot: Robot) -> None:
    said = told(tmp_path, robot, hetzner_bootstrap_access="rescue", hetzner_bootstrap_robot_user="")
    assert "1 reason to stop" in said and "the server is not in the rescue system" in said


def test_a_missing_collection_is_named_with_the_command_that_brings_it(tmp_path: Path, robot: Robot) -> None:
    said = told(tmp_path, robot, __hetzner_bootstrap_robot_collections=["community.nobody_has_it"])
    assert "1 reason to stop" in said and "ansible-galaxy collection install community.nobody_has_it" in said


def test_two_servers_at_once_are_refused(tmp_path: Path, robot: Robot) -> None:
    playbook = tmp_path / "all_at_once.yml"
    play = {"hosts": "gpunodes", "gather_facts": False, "roles": ["toolserve.gpunode.hetzner_bootstrap"]}
    playbook.write_text(json.dumps([play]))
    said = told(tmp_path, robot, str(playbook), hosts=2)
    assert "works on 2 servers at once: gpu1, gpu2" in said and robot.requests == []
