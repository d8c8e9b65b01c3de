# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong on the way: a clear message, disks that are left alone, and a repeated run that comes to the end.

What the play says is asserted as one line, as Ansible wraps it. What it must not say are the canaries: passwords of the
stand-ins and the passphrase of the disks.
"""

from __future__ import annotations

import subprocess
import threading
import time
from typing import Any

import pytest

from tests.bench.ansible import REPOSITORY
from tests.bench.hetzner.robot_api import PASSWORD
from tests.bench.hetzner.robot_server import RESCUE_PASSWORD

from .server import CONFIRMED, NUMBER, Played, Server, disk

BOTH = ["/dev/nvme0n1", "/dev/nvme1n1"]
PASSPHRASE = "canary-of-the-disks"


def refused(server: Server, *arguments: str, wiped: list[str] | None = None, **settings: Any) -> Played:
    """A run that stops, before it has erased anything unless ``wiped`` says what."""
    played = server.bootstrap(*arguments, **{**CONFIRMED, **settings})
    assert played.code == 2 and server.machine.wiped == (wiped or [])
    assert [canary for canary in (PASSWORD, RESCUE_PASSWORD, PASSPHRASE) if canary in played.output] == []
    return played


def goes_on(server: Server, **settings: Any) -> Played:
    """The same command again, once the cause is gone."""
    played = server.bootstrap(**{**CONFIRMED, **settings})
    assert played.code == 0 and server.machine.system == "disk"
    assert server.ssh("hostname").stdout == f"{server.name}\n"
    return played


# -- Robot -------------------------------------------------------------------------------------------------------------


def test_a_wrong_password(server: Server) -> None:
    told = refused(server, hetzner_bootstrap_robot_password="not-this-one")
    assert "password" in told.text and server.robot.changes() == []
    goes_on(server)


def test_a_server_of_another_account(server: Server) -> None:
    told = refused(server, hetzner_bootstrap_server_number=7654321, hetzner_bootstrap_confirm="7654321")
    assert "7654321" in told.text and server.robot.changes() == []


def test_a_rate_limit_that_stays(server: Server) -> None:
    server.robot.fail(
        "GET /server", 403, "RATE_LIMIT_EXCEEDED", "rate limit exceeded", times=99, max_request=200, interval=3600
    )
    told = refused(server)
    assert "limit" in told.text and server.robot.changes() == []


def test_a_rescue_system_that_never_comes_up(server: Server) -> None:
    server.machine.dead = True
    told = refused(server, hetzner_bootstrap_rescue_timeout_seconds=5)
    assert "has not come up within 5 seconds" in told.text and "Nothing was erased" in told.text
    server.machine.dead = False
    goes_on(server)


def test_a_rescue_system_with_another_host_key_than_robot_tells(server: Server) -> None:
    def lies(reset: Any) -> dict[str, str]:
        server.machine.pressed(reset)
        return {"ED25519": "SHA256:" + "A" * 43}

    server.robot.on_reset = lies
    told = refused(server)
    assert "shows a host key that" in told.text and "Nobody has logged in" in told.text
    assert not server.known_hosts.exists()
    server.robot.on_reset = server.machine.pressed
    assert "A system answers whose host key this machine does not know" in refused(server).text
    goes_on(server, hetzner_bootstrap_reinstall=True)


def test_a_key_that_nobody_offers(server: Server) -> None:
    other = server.folder / "other"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", other], check=True)
    told = refused(server, hetzner_bootstrap_ssh_public_keys=[f"{other}.pub"])
    assert "root cannot log in" in told.text and "ansible_ssh_private_key_file" in told.text
    goes_on(server)


def test_a_host_key_that_has_changed_unexpectedly(server: Server) -> None:
    server.machine.has_installed("gpu1", server.public_key)
    server.machine.power_on()
    server.know_host()
    server.machine.has_installed("gpu1", server.public_key)  # somebody else's system at the same address
    server.machine.reset()
    known = server.known_hosts.read_text()
    time.sleep(5)
    told = refused(server)
    assert "another host key than the one that is known" in told.text and "ssh-keygen -R" in told.text
    assert server.robot.changes() == [] and server.known_hosts.read_text() == known
    # Where Robot is not asked, nothing could know the new key.
    assert "another host key" in refused(server, hetzner_bootstrap_access="rescue").text


def test_a_system_that_is_installed_otherwise_is_left_alone_without_a_word(server: Server) -> None:
    conf = (REPOSITORY / "tests/unit/bootstrap/autosetup/2-nvme-uefi.conf").read_text()
    server.machine.has_installed("other", server.public_key, conf)
    server.machine.power_on()
    server.know_host()
    told = refused(server, hetzner_bootstrap_confirm="")
    assert "HOSTNAME is " in told.text and f"{server.name} is wanted" in told.text
    assert f"-e hetzner_bootstrap_confirm={NUMBER}" in told.text
    assert server.robot.requests == [] and server.machine.system == "disk"
    dry = server.bootstrap("--check", hetzner_bootstrap_confirm="")
    assert dry.code == 0 and server.robot.changes() == [] and server.machine.system == "disk"
    goes_on(server)
    assert server.machine.wiped == BOTH


# -- in the rescue system ----------------------------------------------------------------------------------------------


@pytest.fixture
def rescue(server: Server) -> Server:
    server.is_in_rescue()
    return server


def test_without_the_number_nothing_is_erased_and_a_dry_run_shows_what_would_be(rescue: Server) -> None:
    dry = rescue.bootstrap("--check", "--diff")
    assert dry.code == 0 and rescue.machine.wiped == []
    assert rescue.machine.run("sh", "-c", "ls /autosetup /root/post-install || true").count("No such file") == 2
    for shown in (
        "/dev/nvme0n1",
        "serial S1",
        "SWRAIDLEVEL 1",
        f"HOSTNAME {rescue.name}",
        "A dry run: nothing is erased",
    ):
        assert shown in dry.text
    told = refused(rescue, hetzner_bootstrap_confirm="")
    assert f"-e hetzner_bootstrap_confirm={NUMBER}" in told.text
    assert "confirm is 7654321" in refused(rescue, hetzner_bootstrap_confirm="7654321").text
    assert rescue.machine.system == "rescue" and rescue.robot.requests == []
    goes_on(rescue)


def test_a_run_that_is_to_stop_in_rescue_shows_what_would_be_lost_and_erases_nothing(server: Server) -> None:
    shown = server.bootstrap(**CONFIRMED, hetzner_bootstrap_stop_in_rescue=True)
    assert shown.code == 0 and server.machine.system == "rescue" and server.machine.wiped == []
    for told in ("This would be lost:", "serial S1", "SWRAIDLEVEL 1", "The server stays in the rescue system"):
        assert told in shown.text
    asked = len(server.robot.changes())
    goes_on(server)
    assert server.machine.wiped == BOTH and len(server.robot.changes()) == asked


@pytest.mark.parametrize(
    ("disks", "announced", "told"),
    [
        pytest.param([disk("nvme0n1", "S1")], None, "No disk of the server has serial S2", id="missing"),
        pytest.param(
            [disk("nvme0n1", "S1"), disk("nvme1n1", "S2"), disk("nvme2n1", "S3")],
            [{"count": 2, "minimum_size_gb": 500}],
            "2 disks of 500 GB or more were announced, and the server has 3",
            id="one too many",
        ),
        pytest.param(
            [disk("nvme0n1", "S1", mountpoints=["/mnt/data"], fstype="ext4"), disk("nvme1n1", "S2")],
            None,
            "/dev/nvme0n1 is in use: /mnt/data",
            id="mounted",
        ),
        pytest.param(
            [disk("nvme0n1", "S1"), disk("sda", "S2", tran="iscsi")], None, "attached by iSCSI", id="of another machine"
        ),
    ],
)
def test_disks_that_are_not_those_that_were_announced(
    rescue: Server, disks: list[dict[str, Any]], announced: Any, told: str
) -> None:
    rescue.machine.has_disks(*disks)
    given = {"hetzner_bootstrap_disks": announced} if announced else {}
    assert told in refused(rescue, **given).text
    assert rescue.machine.system == "rescue"


def test_an_image_that_the_rescue_system_does_not_have(rescue: Server) -> None:
    told = refused(rescue, hetzner_bootstrap_image="Ubuntu-2604-latest-amd64-base")
    assert "has no image" in told.text and "Debian-1300-trixie-amd64-base" in told.text


def test_an_installimage_that_fails(rescue: Server) -> None:
    rescue.machine.fault("fail")
    told = refused(rescue, wiped=BOTH)
    assert "installimage has ended with code 1" in told.text and "It had begun to erase the disks" in told.text
    assert "Unexpected EOF" in (rescue.folder / f"logs/{rescue.name}/debug.txt").read_text()
    rescue.machine.fault()
    goes_on(rescue)


@pytest.mark.parametrize(("fault", "wiped"), [("hang", BOTH), ("ask", [])])
def test_an_installimage_that_does_not_end(rescue: Server, fault: str, wiped: list[str]) -> None:
    rescue.machine.fault(fault)
    told = refused(rescue, wiped=wiped, hetzner_bootstrap_install_timeout_seconds=8)
    assert "did not end within 8 s and was stopped" in told.text
    rescue.machine.fault()
    goes_on(rescue)


def test_an_installimage_that_has_run_without_a_system(rescue: Server) -> None:
    rescue.machine.fault("silent")
    assert "without an error and without a complete system" in refused(rescue, wiped=BOTH).text
    assert rescue.machine.system == "rescue"


def test_a_connection_that_is_lost_in_the_middle(rescue: Server) -> None:
    """The installation goes on, and the next run waits for its end and does not begin another one."""
    rescue.machine.fault("slow")
    runs: list[Played] = []
    first = threading.Thread(target=lambda: runs.append(rescue.bootstrap(**CONFIRMED)))
    first.start()
    deadline = time.monotonic() + 120
    while not rescue.machine.wiped and time.monotonic() < deadline:
        time.sleep(0.2)
    rescue.machine.run("sh", "-c", "systemctl stop ssh; pkill sshd || true")
    first.join()
    assert runs[0].code != 0 and rescue.machine.wiped == BOTH
    rescue.machine.run("systemctl", "start", "ssh")
    second = goes_on(rescue)
    assert "The installation that has begun goes on" in second.text
    assert rescue.machine.wiped == BOTH


def test_a_new_system_that_does_not_come_up(rescue: Server) -> None:
    """It may be slow: a run that comes later finds it installed and finishes it."""
    rescue.machine.dead = True
    told = refused(rescue, wiped=BOTH, hetzner_bootstrap_boot_timeout_seconds=8)
    assert "did not answer within 8 s of the restart" in told.text
    deadline = time.monotonic() + 60
    while rescue.machine.system != "nothing" and time.monotonic() < deadline:
        time.sleep(0.5)  # the rescue system may still be on its way down
    rescue.machine.dead = False
    rescue.machine.power_on()
    time.sleep(8)
    keys = rescue.machine.host_keys().values()  # of the rescue system
    assert any(key in rescue.known() for key in keys)
    goes_on(rescue)
    assert rescue.machine.wiped == BOTH
    assert not any(key in rescue.known() for key in keys)


def test_a_server_that_is_not_in_the_rescue_system(server: Server) -> None:
    server.machine.has_installed("gpu1", server.public_key)
    server.machine.power_on()
    server.know_host()
    told = refused(server, hetzner_bootstrap_access="rescue")
    assert "is not in the rescue system" in told.text and "not installed by installimage" in told.text


def test_an_encrypted_root_keeps_its_passphrase_to_itself(rescue: Server) -> None:
    secret = {"hetzner_bootstrap_encrypt": True, "hetzner_bootstrap_swap_size": "0"}
    first = goes_on(rescue, **secret, hetzner_bootstrap_encryption_passphrase=PASSPHRASE)
    assert PASSPHRASE not in first.output and PASSPHRASE not in rescue.machine.run("cat", "/installimage.conf")
    again = rescue.bootstrap("--diff", **secret, hetzner_bootstrap_encryption_passphrase=PASSPHRASE)
    assert again.code == 0 and again.changed == {rescue.name: 0} and PASSPHRASE not in again.output
