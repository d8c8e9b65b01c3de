# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is erased and what is not, and an installimage that fails, hangs, or was begun by a play that is gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .server import CONFIRMED, Played, Server, disk

DISKS = ["/dev/nvme0n1", "/dev/nvme1n1"]
PASSPHRASE = "canary passphrase"
ENCRYPTED = {
    "hetzner_bootstrap_encrypt": True,
    "hetzner_bootstrap_encryption_passphrase": PASSPHRASE,
    "hetzner_bootstrap_swap_size": "0",
}


@pytest.fixture
def rescue(server: Server, tmp_path: Path) -> Server:
    """A server that somebody has started into the rescue system, and whose host key is known."""
    server.machine.rescue_next = True
    server.machine.power_on()
    server.know_host()
    server.settings |= {
        "hetzner_bootstrap_access": "rescue",
        "hetzner_bootstrap_log_dir": str(tmp_path / "logs"),
        "__hetzner_bootstrap_install_poll_seconds": 1,
    }
    return server


def log(rescue: Server, name: str) -> str:
    return (rescue.folder / "logs" / rescue.name / name).read_text()


def test_a_dry_run_shows_what_would_be_lost_and_how_it_is_installed(rescue: Server) -> None:
    old = {"name": "nvme0n1p1", "path": "/dev/nvme0n1p1", "type": "part", "size": 5 * 10**10, "fstype": "ext4"}
    rescue.machine.has_disks(disk("nvme0n1", "S1", children=[{**old, "label": "photos"}]), disk("nvme1n1", "S2"))
    done = rescue.bootstrap("--check", "--diff", "-v", **ENCRYPTED)
    assert done.code == 0
    assert "/dev/nvme0n1p1: 50 GB, ext4, labelled photos" in done.text
    assert "PART / ext4 all crypt" in done.text and "CRYPTPASSWORD [hidden]" in done.text
    assert PASSPHRASE not in done.output
    assert rescue.machine.wiped == []
    assert "No such file" in rescue.ssh("ls /autosetup /root/post-install").stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "hetzner_bootstrap_confirm=1234567"),
        (
            {**CONFIRMED, "hetzner_bootstrap_disks": [{"serial": "S1"}, {"serial": "S3"}]},
            "No disk of the server has serial S3",
        ),
        ({**CONFIRMED, "hetzner_bootstrap_disks": [{"count": 1, "minimum_size_gb": 480}]}, "the server has 2"),
        ({**CONFIRMED, "hetzner_bootstrap_image": "Ubuntu-2604-x-amd64-base"}, "has no image Ubuntu-2604"),
        ({**CONFIRMED, "hetzner_bootstrap_layout": "raid5"}, "RAID level 5 needs 3 disks"),
    ],
    ids=["not-confirmed", "disk-missing", "too-many-disks", "no-image", "too-few-disks"],
)
def test_nothing_is_erased_where_something_does_not_fit(rescue: Server, settings: dict[str, Any], told: str) -> None:
    done = rescue.bootstrap(**settings)
    assert done.code != 0 and told in done.text
    assert rescue.machine.wiped == []


def test_a_mounted_disk_is_not_erased(rescue: Server) -> None:
    rescue.machine.has_disks(disk("nvme0n1", "S1", mountpoints=["/mnt"]), disk("nvme1n1", "S2"))
    done = rescue.bootstrap(**CONFIRMED)
    assert done.code != 0 and "/dev/nvme0n1 is in use: /mnt" in done.text
    assert rescue.machine.wiped == []


def test_a_failure_is_told_with_its_log_and_the_next_run_installs(rescue: Server) -> None:
    rescue.machine.fault("fail")
    done: Played = rescue.bootstrap("-v", **CONFIRMED, **ENCRYPTED)
    assert done.code != 0 and "ended with code 1" in done.text and "Unexpected EOF in archive" in done.text
    assert "It had begun to erase the disks" in done.text
    assert "# Extracting image" in log(rescue, "debug.txt")
    assert "CRYPTPASSWORD [hidden]" in log(rescue, "installimage.log")
    everything = done.output + log(rescue, "debug.txt") + log(rescue, "installimage.log")
    assert PASSPHRASE not in everything
    assert "No such file" in rescue.ssh("ls /autosetup").stderr
    assert rescue.machine.wiped == DISKS

    rescue.machine.fault()
    assert rescue.bootstrap(**CONFIRMED, **ENCRYPTED).code == 0
    assert rescue.machine.wiped == DISKS * 2 and rescue.machine.system == "disk"
    conf = rescue.ssh("cat /installimage.conf; cat /etc/default/grub").stdout
    assert "PART / ext4 all crypt" in conf and "nomodeset" in conf
    assert "CRYPTPASSWORD [hidden]" in conf and PASSPHRASE not in conf


@pytest.mark.parametrize(("fault", "told"), [("hang", "It had begun to erase"), ("ask", "Nothing was erased")])
def test_one_that_does_not_end_is_stopped(rescue: Server, fault: str, told: str) -> None:
    rescue.machine.fault(fault)
    done = rescue.bootstrap(**CONFIRMED, hetzner_bootstrap_install_timeout_seconds=8)
    assert done.code != 0 and "did not end within 8 s" in done.text and told in done.text
    assert rescue.ssh("grep -lx installimage /proc/[0-9]*/comm").stdout == ""


def test_one_that_says_nothing_is_not_believed(rescue: Server) -> None:
    rescue.machine.fault("silent")
    done = rescue.bootstrap(**CONFIRMED)
    assert done.code != 0 and "without an error and without a complete system" in done.text
    assert rescue.machine.system == "rescue"


def test_an_installation_that_goes_on_is_not_begun_again(rescue: Server) -> None:
    rescue.machine.fault("slow")
    with ThreadPoolExecutor() as pool:
        play = pool.submit(rescue.bootstrap, **CONFIRMED)
        wait_for(rescue, "systemctl is-active toolserve-gpunode-installimage || true", "activating")
        rescue.machine.run("sh", "-c", "systemctl stop ssh; pkill sshd; true")
        lost = play.result()
    assert lost.code != 0 and "UNREACHABLE" in lost.output
    rescue.machine.run("systemctl", "start", "ssh")
    done = rescue.bootstrap(**CONFIRMED)
    assert done.code == 0 and "The installation that has begun goes on" in done.text
    assert rescue.machine.wiped == DISKS and rescue.machine.system == "disk"


def test_one_that_somebody_else_has_started_is_left_alone(rescue: Server) -> None:
    rescue.machine.run("sh", "-c", "cp /bin/sleep /tmp/installimage; setsid /tmp/installimage 600 > /dev/null 2>&1 &")
    done = rescue.bootstrap(**CONFIRMED)
    assert done.code != 0 and "installimage runs on the server already" in done.text
    assert rescue.machine.wiped == []


def wait_for(rescue: Server, command: str, answer: str) -> None:
    deadline = time.monotonic() + 120
    while answer not in rescue.machine.run("sh", "-c", command):
        if time.monotonic() > deadline:
            raise TimeoutError(command)
        time.sleep(0.2)
