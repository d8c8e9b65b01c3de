# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Broken autosetups, each a golden file with one thing changed.

``refused`` is the verdict of installimage itself, read from its ``validate_vars`` (docs/bootstrap-autosetup.md has the
commit). What it takes and what would end badly has ``refused=False``: there our rules are stricter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import Machine
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.setups import ALL, SetUp

_BY_NAME = {one.name: one for one in ALL}


@dataclass(frozen=True)
class Broken:
    """``told`` is a part of what our rules say."""

    name: str
    text: str
    machine: Machine
    refused: bool
    told: str


def _broken(
    name: str, base: str, old: str, new: str, told: str, refused: bool = True, machine: Machine | None = None
) -> Broken:
    setup: SetUp = _BY_NAME[base]
    text = setup.text()
    if old not in text:
        raise ValueError(f"{base} has no {old!r}")
    return Broken(name, text.replace(old, new), machine or setup.machine, refused, told)


def _smaller(base: str, size: int) -> Machine:
    machine = _BY_NAME[base].machine
    return replace(machine, disks=dict.fromkeys(machine.disks, size))


_IMAGE = "/root/.oldroot/nfs/images/Ubuntu-2404-noble-amd64-base.tar.gz"
_LVM = "PART lvm vg0 all\nLV vg0 root / ext4 all"
_ROOT = "PART / ext4 all"
_ESP = "PART /boot/efi esp 512M"
_CRYPT = "1-nvme-uefi-encrypted"
_ONE, _TWO, _FOUR = "1-nvme-uefi", "2-nvme-uefi", "4-nvme-uefi-raid10"

BROKEN = [
    # refused by installimage
    _broken("no-image", _ONE, f"IMAGE {_IMAGE}\n", "", "IMAGE names no file"),
    _broken("image-is-a-folder", _ONE, _IMAGE, "/root/images/", "IMAGE names no file"),
    _broken("image-is-no-archive", _ONE, "base.tar.gz", "base.zip", "no archive"),
    _broken("image-without-architecture", _ONE, "-amd64-", "-", "finds none"),
    _broken("image-of-other-architecture", _ONE, "-amd64-", "-arm64-", "made for arm64"),
    _broken("no-drive", _ONE, "DRIVE1 /dev/nvme0n1\n", "", "DRIVE1 names no disk"),
    _broken("unknown-drive", _ONE, "/dev/nvme0n1", "/dev/sda", "no disk of this server"),
    _broken("unknown-second-drive", _TWO, "/dev/nvme1n1", "/dev/sdb", "no disk of this server"),
    _broken("drive-twice", _TWO, "/dev/nvme1n1", "/dev/nvme0n1", "named as 2 drives"),
    _broken("unknown-formatted-drive", "2-nvme-uefi-plain", "/dev/nvme1n1", "/dev/sdb", "no disk of this server"),
    _broken("gap-in-raid", _TWO, "DRIVE2", "DRIVE3", "DRIVE2 is not given", machine=_BY_NAME["4-nvme-uefi"].machine),
    _broken("format-and-raid", _TWO, "SWRAID 1", "FORMATDRIVE2 1\nSWRAID 1", "exclude each other"),
    _broken("raid-is-yes", _TWO, "SWRAID 1", "SWRAID yes", "can be 0 or 1"),
    _broken("level-4", _TWO, "SWRAIDLEVEL 1", "SWRAIDLEVEL 4", "SWRAIDLEVEL is 4"),
    _broken("raid-of-one", _TWO, "DRIVE2 /dev/nvme1n1\n", "", "needs 2 disks"),
    _broken("raid5-of-two", _TWO, "SWRAIDLEVEL 1", "SWRAIDLEVEL 5", "needs 3 disks"),
    _broken("raid6-of-three", "3-sata-bios-raid5", "SWRAIDLEVEL 5", "SWRAIDLEVEL 6", "needs 4 disks"),
    _broken("raid0-without-boot", "2-nvme-uefi-raid0", "PART /boot ext4 2G\n", "", "needs a /boot"),
    _broken("raid10-without-boot", _FOUR, "PART /boot ext4 4G\n", "", "needs a /boot"),
    _broken("all-in-lvm", _ONE, f"PART /boot ext4 2G\n{_ROOT}", _LVM, "outside of LVM"),
    _broken("boot-is-fourth", _ONE, "PART /boot ext4", "PART /srv ext4 5G\nPART /boot ext4", "one of the first 3"),
    _broken("root-is-fourth", _ONE, "PART /boot ext4", "PART /srv ext4", "one of the first 3"),
    _broken("no-mount-point", _ONE, _ROOT, "PART root ext4 all", "has no mount point"),
    _broken("unknown-filesystem", _ONE, _ROOT, "PART / zfs all", "file system zfs"),
    _broken("none-is-mounted", _ONE, _ROOT, "PART / none all", "no file system to be mounted"),
    _broken("esp-elsewhere", _ONE, "/boot/efi esp", "/efi esp", "has to be mounted at /boot/efi"),
    _broken("esp-too-small", _ONE, "esp 512M", "esp 255M", "at least 256M"),
    _broken("no-esp", _ONE, f"{_ESP}\n", "", "and there are 0"),
    _broken("two-esps", _ONE, _ESP, f"{_ESP}\n{_ESP}", "and there are 2"),
    _broken("all-is-not-last", _ONE, "PART swap swap 8G", "PART swap swap all", "only the last one"),
    _broken("all-before-an-unread-line", _ONE, _ROOT, f"{_ROOT}\nPART\t/srv ext4 5G", "only the last one"),
    _broken("no-size", _ONE, _ROOT, "PART / ext4", "needs a number"),
    _broken("size-in-kilobytes", _ONE, "swap 8G", "swap 8388608K", "needs a number"),
    _broken("size-with-a-point", _ONE, "swap 8G", "swap 7.5G", "needs a number"),
    _broken("size-zero", _ONE, "swap 8G", "swap 0G", "needs a number"),
    _broken("all-in-capitals", _ONE, _ROOT, "PART / ext4 ALL", "needs a number"),
    _broken("boot-too-small", _ONE, "/boot ext4 2G", "/boot ext4 199M", "needs at least 200"),
    _broken("root-too-small", _ONE, _ROOT, "PART / ext4 1499M", "needs at least 1500"),
    _broken("root-too-small-in-raid0", "2-nvme-uefi-raid0", _ROOT, "PART / ext4 2998M", "gets 1499 MiB on each"),
    _broken("no-partitions", "1-nvme-bios-no-swap", f"PART /boot ext4 2G\n{_ROOT}\n", "", "There is no PART"),
    _broken("lilo", _ONE, "BOOTLOADER grub", "BOOTLOADER lilo", "can be grub only"),
    _broken("governor", _ONE, "BOOTLOADER grub", "GOVERNOR schedutil", "GOVERNOR is schedutil"),
    _broken("group-without-volumes", _ONE, _ROOT, "PART lvm vg0 all", "no LV in it"),
    _broken("volume-without-group", _ONE, _ROOT, f"LV vg0 home /home ext4 5G\n{_ROOT}", "no PART lvm vg0"),
    _broken("volume-in-other-group", _ONE, _ROOT, f"{_LVM}\nLV vg1 home /home ext4 5G", "no PART lvm vg1"),
    _broken("volume-filesystem", _ONE, _ROOT, _LVM.replace("ext4 all", "zfs all"), "file system zfs"),
    _broken("volume-all-is-not-last", _ONE, _ROOT, f"{_LVM}\nLV vg0 home /home ext4 5G", "last one of vg0"),
    _broken("volume-root-too-small", _ONE, _ROOT, _LVM.replace("ext4 all", "ext4 1G"), "at least 1500M"),
    _broken("volume-elsewhere", _ONE, _ROOT, f"LV vg0 home home ext4 5G\n{_LVM}", "LV home has no mount point"),
    _broken("volume-without-size", _ONE, _ROOT, f"LV vg0 home /home ext4\n{_LVM}", "LV home has the size (none"),
    _broken("btrfs-without-subvolume", _ONE, _ROOT, "PART btrfs.1 btrfs all", "no SUBVOL in btrfs.1"),
    _broken("subvolume-without-btrfs", _ONE, _ROOT, f"SUBVOL btrfs.1 @home /home\n{_ROOT}", "no PART btrfs.1"),
    _broken("subvolume-elsewhere", _ONE, _ROOT, "PART btrfs.1 btrfs all\nSUBVOL btrfs.1 @ root", "no path"),
    _broken("mounted-twice", _ONE, "PART swap swap 8G", "PART /boot ext4 3G", "mounted more than once"),
    _broken("no-root", _ONE, _ROOT, "PART /home ext4 all", "no partition for /"),
    _broken("too-large", _ONE, "swap 8G", "swap 1T", "The partitions take"),
    _broken("rest-too-small", _ONE, "swap 8G", "swap 8G", "The partitions take", machine=_smaller(_ONE, 11 << 30)),
    _broken("no-hostname", _ONE, "HOSTNAME gpu1", "HOSTNAME", "HOSTNAME is not given"),
    _broken("no-passphrase", _CRYPT, "CRYPTPASSWORD only for the tests\n", "", "no CRYPTPASSWORD"),
    _broken("passphrase-after-a-tab", _CRYPT, "CRYPTPASSWORD ", "CRYPTPASSWORD\t", "no CRYPTPASSWORD"),
    _broken("comment-after-part", _ONE, _ROOT, f"{_ROOT} # the rest", "no CRYPTPASSWORD"),
    _broken("level-without-raid", _FOUR, "SWRAID 1\n", "", "would take it for that"),
    # taken by installimage
    _broken("level-0-without-raid", "2-nvme-uefi-raid0", "SWRAID 1\n", "", "would take it for that", False),
    _broken("raid-after-its-level", _TWO, "SWRAID 1\nSWRAIDLEVEL 1", "SWRAIDLEVEL 1\nSWRAID 0", "SWRAID", False),
    _broken("unknown-key", _ONE, "HOSTNAME", "HOSTNAMES x\nHOSTNAME", "no key that installimage knows", False),
    _broken("indented-line", _ONE, "HOSTNAME", " GOVERNOR performance\nHOSTNAME", "no key", False),
    _broken("key-twice", _ONE, "HOSTNAME gpu1", "HOSTNAME gpu1\nHOSTNAME gpu2", "takes the first", False),
    _broken("mode-setting-twice", _ONE, "HOSTNAME", "USE_KERNEL_MODE_SETTING yes\nHOSTNAME", "takes the last", False),
    _broken("hostname-with-underscore", _ONE, "gpu1", "gpu_1", "no host name", False),
    _broken("hostname-not-ascii", _ONE, "gpu1", "gpü1", "no printable ASCII", False),
    _broken("drive-too-many", _ONE, "SWRAID 0", "DRIVE2 /dev/sdx\nSWRAID 0", "DRIVE2 is not read", False),
    _broken("format-drive-zero", "2-nvme-uefi-plain", "FORMATDRIVE2 1", "FORMATDRIVE2 0", "whatever is written", False),
    _broken("raid10-of-three", "3-sata-bios-raid5", "SWRAIDLEVEL 5", "SWRAIDLEVEL 10", "an odd number", False),
    _broken("esp-without-uefi", "1-nvme-bios", "PART swap swap 8G", _ESP, "does not start by UEFI", False),
    _broken("boot-on-btrfs", _ONE, "/boot ext4", "/boot btrfs", "GRUB is sure to read ext4", False),
    _broken("lvm", _ONE, _ROOT, _LVM, "remove the volume groups of all disks", False),
    _broken("image-by-http", _ONE, "/root/.oldroot/nfs/", "http://mirror.example/", "without checking", False),
    _broken("passphrase-unused", _ONE, "HOSTNAME", "CRYPTPASSWORD x\nHOSTNAME", "no partition is encrypted", False),
    _broken("crypt-is-another-word", _CRYPT, "all crypt", "all luks", "the only word", False),
    _broken("encrypted-without-boot", _CRYPT, "PART /boot ext4 2G\n", "", "needs a /boot of its own", False),
    _broken("encrypted-boot", _CRYPT, "/boot ext4 2G", "/boot ext4 2G crypt", "/boot is encrypted", False),
    _broken("encrypted-esp", _CRYPT, "esp 512M", "esp 512M crypt", "EFI system partition is encrypted", False),
    _broken("plain-swap", _CRYPT, f"{_ROOT} crypt", f"PART swap swap 8G\n{_ROOT} crypt", "in plain text", False),
    _broken("crypt-in-a-name", _ONE, "PART swap swap 8G", "PART /decrypted ext4 8G", "crypt in its name", False),
    _broken("gap", "2-nvme-uefi-plain", "DRIVE2 /dev", "DRIVE3 /dev", "without a gap", False),
    _broken("a-tab-in-place-of-a-blank", _ONE, "HOSTNAME gpu1", "HOSTNAME\tgpu1", "has no blank after HOSTNAME", False),
    _broken("drive-by-a-command", _TWO, "SWRAID 1", "DRIVE3 /dev/$(id)\nSWRAID 1", "no path of a device", False),
    _broken("encrypted-home", _ONE, "PART swap swap 8G", "PART /home ext4 9G crypt\nCRYPTPASSWORD x", "/ too", False),
    _broken("passphrase-with-a-blank", _CRYPT, "for the tests", "for the tests ", "ends with a blank", False),
    _broken("reiserfs", _ONE, _ROOT, "PART / reiserfs all", "no longer supported", False),
    _broken("fedora", _ONE, "Ubuntu-2404-noble", "Fedora-42-x", "neither Debian nor Ubuntu", False),
    _broken("too-large-on-each-disk", "2-nvme-uefi-raid0", "/boot ext4 2G", "/boot ext4 490G", "of each disk", False),
]
