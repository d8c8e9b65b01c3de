# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hetzner_bootstrap finds on disks before it erases them: real ext4 file systems, read by the real debugfs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_settings import Settings, render
from ansible_collections.toolserve.gpunode.tests.unit.collection.test_hetzner_robot import Bench
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_ssh_server import FakeSshServer, host_key

pytestmark = pytest.mark.plays
SETTINGS = {
    "hostname": "gpu1",
    "distribution": "ubuntu-24.04",
    "architecture": "amd64",
    "image": "auto",
    "layout": "auto",
    "boot_size": "2G",
    "swap_size": "8G",
    "encrypt": False,
    "authorized_keys_file": "/root/keys",
}
REINSTALL = {"hetzner_bootstrap_reinstall": True}
ENCRYPT = {
    "hetzner_bootstrap_encrypt": True,
    "hetzner_bootstrap_swap_size": "0",
    "hetzner_bootstrap_encryption_passphrase": "canary of the disks",
}


class Disks:
    """Two disks in a rescue system, which is this machine with another lsblk, mdadm and systemctl."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.folder = bench, bench.folder
        self.bench.ssh.keys = (host_key(bench.keys),)
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        self.unit = self.folder / "unit"
        self.unit.write_text("ActiveState=inactive\n")
        self._program("lsblk", f"cat {self.folder}/lsblk.json")
        self._program("systemctl", f"cat {self.unit}")
        self._program("udevadm", "true")
        # What mdadm would put together is there from then on.
        self._program("mdadm", f'echo "$*" >> {self.folder}/mdadm; cp {self.folder}/assembled {self.folder}/lsblk.json')
        self.show(self.folder / "lsblk.json")

    def _program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def show(self, file: Path, *children: dict[str, Any]) -> None:
        """What lsblk says: the same below both of the disks."""
        disk = {"type": "disk", "size": 512_110_190_592, "tran": "nvme", "children": list(children)}
        names = {"nvme0n1": "S1", "nvme1n1": "S2"}
        devices = [{**disk, "name": name, "path": f"/dev/{name}", "serial": serial} for name, serial in names.items()]
        file.write_text(json.dumps({"blockdevices": devices}))

    def has(self, *children: dict[str, Any]) -> None:
        self.show(self.folder / "lsblk.json", *children)

    def ext4(self, conf: str = "", key: str = "") -> dict[str, Any]:
        """A file system with a system's files."""
        content = self.folder / "content"
        (content / "etc/ssh").mkdir(parents=True)
        (content / "etc/ssh/ssh_host_ed25519_key.pub").write_text(f"{key} root@gpu1\n")
        if conf:
            (content / "installimage.conf").write_text(conf)
        image = self.folder / "md2"
        command = ["/usr/sbin/mkfs.ext4", "-q", "-d", str(content), str(image), "8M"]
        subprocess.run(command, check=True)
        return device("md2", "raid1", fstype="ext4", path=str(image))

    def look(self, *options: str, passes: bool = False, files: tuple[str, ...] = ("disks",), **settings: Any) -> str:
        given: dict[str, Any] = {
            "ansible_connection": "local",
            "hetzner_bootstrap_disks": [{"serial": "S1"}, {"serial": "S2"}],
            **settings,
        }
        said = self.bench.play(*files, options=options, passes=passes, **given)
        assert str(ENCRYPT["hetzner_bootstrap_encryption_passphrase"]) not in said
        return said


def device(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "path": f"/dev/{name}", "type": kind, "size": 10**10, "mountpoints": [None], **more}


def wanted(**settings: Any) -> str:
    """The /installimage.conf of a system that was installed as SETTINGS want it."""
    uefi = Path("/sys/firmware/efi").is_dir()
    image = "/root/.oldroot/nfs/images/Ubuntu-2404-noble-amd64-base.tar.zst"
    drives = ["/dev/nvme0n1", "/dev/nvme1n1"]
    return render(Settings.of(SETTINGS | settings), drives, uefi, image, "canary of the disks")


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disks]:
    with FakeSshServer().serving() as ssh:
        disks = Disks(Bench(tmp_path, ssh))
        monkeypatch.setenv("PATH", f"{disks.programs}:{os.environ['PATH']}:/usr/sbin")
        yield disks


def test_a_finished_system_is_kept_and_its_host_keys_are_known(disks: Disks) -> None:
    key = host_key(disks.bench.keys)
    disks.has(disks.ext4(wanted(), key))
    rescue = f"{disks.bench.name} {disks.bench.ssh.keys[0]}\n"
    disks.bench.known_hosts.write_text(rescue)
    said = disks.look("--check")
    assert "The system that is wanted is installed on" in said and disks.bench.known_hosts.read_text() == rescue
    said = disks.look()
    assert "-e hetzner_bootstrap_reinstall=true" in said and "Nothing was erased" in said
    assert disks.bench.knows(disks.bench.ssh.keys[0], key)
    disks.look(passes=True, **REINSTALL)
    disks.unit.write_text("ActiveState=failed\n")  # it was begun here, and has erased whatever there was
    disks.look(passes=True)


def test_another_system_is_no_reason(disks: Disks) -> None:
    disks.has(disks.ext4(wanted(hostname="gpu2")))
    assert "The system that is wanted" not in disks.look(passes=True)


def test_bare_disks_are_no_reason(disks: Disks) -> None:
    disks.look(passes=True)
    disks.look(passes=True, **ENCRYPT)


def test_an_array_is_put_together_read_only_and_taken_apart(disks: Disks) -> None:
    member = device("nvme0n1p3", "part", fstype="linux_raid_member", uuid="u2")
    disks.show(disks.folder / "assembled", {**member, "children": [disks.ext4(wanted())]})
    disks.has(member)
    assert "The system that is wanted is installed on" in disks.look()
    called = (disks.folder / "mdadm").read_text().splitlines()
    assert called == ["--assemble --readonly --run /dev/md200 /dev/nvme0n1p3", "--stop /dev/md200"]


def test_an_array_that_cannot_be_put_together_may_be_it_too(disks: Disks) -> None:
    disks.has(device("nvme0n1p3", "part", fstype="linux_raid_member", uuid="u2"))
    (disks.folder / "assembled").write_text((disks.folder / "lsblk.json").read_text())
    assert "/dev/nvme0n1p3 cannot be looked into: mdadm does not put that array together" in disks.look()
    disks.look(passes=True, **REINSTALL)
    disks.look(passes=True, hetzner_bootstrap_layout="plain")  # the wanted system is on none


def test_an_encrypted_disk_may_be_the_system_that_is_wanted(disks: Disks) -> None:
    disks.has(device("nvme0n1p3", "part", fstype="crypto_LUKS"))
    said = disks.look(**ENCRYPT)
    assert "/dev/nvme0n1p3 cannot be looked into: it is encrypted" in said
    disks.look(passes=True, **ENCRYPT, **REINSTALL)
    disks.look(passes=True)  # what is wanted is not encrypted


def test_what_cannot_be_seen_is_told_in_the_plan(disks: Disks) -> None:
    broken = disks.folder / "broken"
    broken.write_bytes(bytes(1 << 20))
    disks.has(
        device("nvme0n1p2", "part", fstype="ext4", path=str(broken)),
        device("nvme0n1p3", "part", fstype="crypto_LUKS"),
        device("nvme0n1p4", "part", fstype="linux_raid_member", uuid="u4"),
        disks.ext4(wanted(hostname="gpu2")),
    )
    (disks.folder / "assembled").write_text((disks.folder / "lsblk.json").read_text())
    images = disks.folder / "Ubuntu-2404-noble-amd64-base.tar.zst"
    images.touch()
    shown = {"hetzner_bootstrap_image": str(images), "hetzner_bootstrap_layout": "plain"}
    said = disks.look(passes=True, files=("disks", "autosetup"), **shown)
    unseen = [f"{path}: what is in it could not be seen" for path in (broken, "/dev/nvme0n1p3", "/dev/nvme0n1p4")]
    assert [line for line in unseen if line not in said] == [] and said.count("could not be seen") == 3
