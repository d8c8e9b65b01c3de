# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dry run tells, and what installimage prints and keeps: the passphrase of the disks is nowhere to be seen."""

from __future__ import annotations

from pathlib import Path

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
    server.is_in_rescue()
    server.settings |= {
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


def test_one_that_somebody_else_has_started_is_left_alone(rescue: Server) -> None:
    rescue.machine.run("sh", "-c", "cp /bin/sleep /tmp/installimage; setsid /tmp/installimage 600 > /dev/null 2>&1 &")
    done = rescue.bootstrap(**CONFIRMED)
    assert done.code != 0 and "installimage runs on the server already" in done.text
    assert rescue.machine.wiped == []
