# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rented server and the person who has rented it: a key, a file of known hosts, an inventory."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import docker

from tests.bench.ansible import captured_playbook
from tests.bench.hetzner import robot_server
from tests.bench.hetzner.machine import Machine
from tests.bench.hetzner.robot_api import Robot

NUMBER = 1234567
CONFIRMED = {"hetzner_bootstrap_confirm": str(NUMBER)}
DISK_BYTES = 512_110_190_592


class Played:
    """What a playbook has said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.output = done.stdout
        self.text = " ".join(done.stdout.split())  # as one line: messages are wrapped

    @property
    def changed(self) -> dict[str, int]:
        recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", self.output, re.M)
        return {host: int(count) for host, count in recap}

    def task(self, name: str) -> str:
        """What was printed for the tasks whose names have this in them."""
        tasks = re.split(r"^(?=TASK \[|PLAY RECAP)", self.output, flags=re.M)
        return "".join(task for task in tasks if name in task.partition("\n")[0])


class Server:
    """One server with two disks, and how it is reached."""

    def __init__(self, client: docker.DockerClient, image: str, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.private_key = folder / "id_ed25519"
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-C", "owner", "-f", self.private_key], check=True)
        self.public_key = self.private_key.with_suffix(".pub").read_text().strip()
        self.known_hosts = folder / "known_hosts"
        self.machine = Machine(client, image, name, folder / "hardware")
        self.in_robot = robot_server.Server(NUMBER, "127.0.0.1")
        self.robot = Robot([self.in_robot], on_reset=self.machine.pressed)
        self.machine.authorized_keys = [self.public_key]
        self.machine.has_disks(disk("nvme0n1", "S1"), disk("nvme1n1", "S2"))
        self.settings: dict[str, Any] = {
            "hetzner_bootstrap_server_number": NUMBER,
            "hetzner_bootstrap_distribution": "debian-13",
            "hetzner_bootstrap_disks": [{"serial": "S1"}, {"serial": "S2"}],
            "hetzner_bootstrap_ssh_public_keys": [f"{self.private_key}.pub"],
            "hetzner_bootstrap_rescue_timeout_seconds": 90,
            "hetzner_bootstrap_install_timeout_seconds": 90,
            "hetzner_bootstrap_boot_timeout_seconds": 90,
            "hetzner_bootstrap_upgrade_packages": False,
            "hetzner_bootstrap_log_dir": str(folder / "logs"),
            "hetzner_bootstrap_robot_rate_limit_seconds": 1,
            # Nothing here takes minutes.
            "__hetzner_bootstrap_robot_poll_seconds": 1,
            "__hetzner_bootstrap_firewall_poll_seconds": 1,
            "__hetzner_bootstrap_scan_seconds": 1,
            "__hetzner_bootstrap_ask_seconds": 2,
            "__hetzner_bootstrap_install_poll_seconds": 1,
        }
        self.connection: dict[str, Any] = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.machine.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.private_key),
            "ansible_ssh_common_args": self._ssh_options,
        }

    @property
    def _ssh_options(self) -> str:
        return f"-F none -o IdentitiesOnly=yes -o IdentityAgent=none -o UserKnownHostsFile={self.known_hosts}"

    def is_in_rescue(self) -> None:
        """Its owner has brought it into the rescue system and has logged in to it: nobody needs the API any more."""
        self.machine.authorized_keys = [self.public_key]
        self.machine.rescue_next = True
        self.machine.reset()
        self.know_host()
        self.settings["hetzner_bootstrap_access"] = "rescue"

    def bootstrap(self, *arguments: str, **settings: Any) -> Played:
        """playbooks/bootstrap.yml; a setting that is None is not there."""
        return self.play("playbooks/bootstrap.yml", *arguments, **settings)

    def play(self, playbook: str, *arguments: str, **settings: Any) -> Played:
        told = {name: value for name, value in (self.settings | settings).items() if value is not None}
        # The pauses of the role are no settings: only extra variables overrule them.
        pauses = {name: told.pop(name) for name in list(told) if name.startswith("__")}
        inventory = {"gpunodes": {"hosts": {self.name: {**self.connection, **told}}}}
        path = self.folder / "hosts.yml"
        path.write_text(json.dumps(inventory, indent=2))
        arguments = (*arguments, "--extra-vars", json.dumps(pauses))
        done = captured_playbook(playbook, str(path), *arguments, environment=self.robot.environment())
        print(done.stdout)  # shown where a test fails
        return Played(done)

    def know_host(self) -> None:
        """As a person does it who logs in by hand and compares: what runs now is known, and nothing else."""
        deadline = time.monotonic() + 60
        while True:
            done = subprocess.run(
                ["ssh-keyscan", "-p", str(self.machine.port), "127.0.0.1"], capture_output=True, text=True, check=False
            )
            if done.stdout or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        self.known_hosts.write_text(done.stdout)

    def known(self) -> str:
        """The fingerprints by which the server is known."""
        command = ["ssh-keygen", "-l", "-F", f"[127.0.0.1]:{self.machine.port}", "-f", str(self.known_hosts)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def ssh(self, command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """One login, with the known host keys only."""
        options = [*self._ssh_options.split(), "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
        return subprocess.run(
            ["ssh", *options, "-i", self.private_key, "-p", str(self.machine.port), f"{user}@127.0.0.1", command],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def disk(name: str, serial: str, **more: Any) -> dict[str, Any]:
    """An NVMe disk as `lsblk --json --bytes` of util-linux 2.38 shows it."""
    return {
        "name": name,
        "kname": name,
        "path": f"/dev/{name}",
        "type": "disk",
        "size": DISK_BYTES,
        "model": "SAMSUNG MZVL2512HCJQ-00B00",
        "serial": serial,
        "wwn": f"eui.{serial}",
        "tran": "nvme",
        "rota": False,
        "ro": False,
        "rm": False,
        "hotplug": False,
        "mountpoints": [None],
        "fstype": None,
        **more,
    }
