# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules by which installimage itself refuses an autosetup.

Source: ``validate_vars`` of functions.sh, same commit as in autosetup.py. What it asks of distributions other than
Debian and Ubuntu is left out: those are refused by autosetup_traps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import ALL, Autosetup, Part, mebibytes

RAID_LEVELS = {"0": 2, "1": 2, "5": 3, "6": 4, "10": 2}
"""The levels of software RAID, each with the number of disks that it needs."""

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz", ".tbz", ".tbz2", ".tar.bz2", ".tar.xz", ".txz", ".tar.zst")
REST_MIB = 1024
"""What ``all`` must get at least."""

_FILESYSTEMS = ("btrfs", "ext2", "ext3", "ext4", "reiserfs", "xfs", "swap", "none")
_MOUNT = re.compile(r"/\w*|none\Z|swap\Z|lvm\Z|btrfs\.\w+", re.ASCII)
_ARCHITECTURES = {"32": "x86_64", "64": "x86_64", "i386": "x86_64", "amd64": "x86_64", "arm64": "arm64"}
_ESP_MIB = 256
_BOOT_MIB = 200
_ROOT_MIB = 1500
_PRIMARY = 3


@dataclass(frozen=True)
class Machine:
    """The server in its rescue system.

    ``disks`` are those that installimage counts, by their path, with their bytes; ``architecture`` is x86_64 or arm64.
    """

    uefi: bool
    architecture: str = "x86_64"
    disks: Mapping[str, int] = field(default_factory=dict)


def refusals(setup: Autosetup, machine: Machine) -> list[str]:
    """What installimage says no to. It stops at the first one, all are told here."""
    drives = _read_drives(setup, machine)
    return [
        *_image(setup, machine),
        *_drives(setup, drives, machine),
        *_raid(setup, drives),
        *_order(setup),
        *_partitions(setup, drives, machine),
        *_volumes(setup),
        *_subvolumes(setup),
        *_mounts(setup),
        *_space(setup, drives, machine),
        *_others(setup),
    ]


def share(part: Part, setup: Autosetup, disks: int) -> int | None:
    """The mebibytes that a partition takes on each disk: its size is that of the array. None for ``all``."""
    mib = part.mib
    if mib is None or setup.software_raid != "1" or part.mount in ("/boot", "/boot/efi"):
        return mib
    if part.mount == "swap" and setup.raid_level != "0":
        return mib  # swap is mirrored at every other level
    return mib // max(1, _data_disks(setup.raid_level, disks))


def part_at(setup: Autosetup, mount: str) -> Part | None:
    """The partition that is mounted there."""
    return next((part for part in setup.parts if part.mount == mount), None)


def volume_groups(setup: Autosetup) -> list[str]:
    """The names of LVM's groups."""
    return [part.filesystem for part in setup.parts if part.mount == "lvm"]


def _data_disks(level: str, disks: int) -> int:
    return {"0": disks, "5": disks - 1, "6": disks - 2, "10": disks // 2}.get(level, 1)


def _read_drives(setup: Autosetup, machine: Machine) -> dict[int, str]:
    """installimage reads as many DRIVE lines as it counts disks, and then looks at as many as it has read."""
    read = {n: path for n, path in setup.drives.items() if n <= len(machine.disks)}
    return {n: read.get(n, "") for n in range(1, len(read) + 1)}


def _image(setup: Autosetup, machine: Machine) -> Iterator[str]:
    image = setup.values.get("IMAGE", "")
    name = image.rpartition("/")[2]
    if not name:
        yield "IMAGE names no file."
        return
    if not name.endswith(ARCHIVES):
        yield f"IMAGE is {image}, which is no archive that installimage can unpack ({', '.join(ARCHIVES)})."
    found = re.match(r".*-(32|64|i386|amd64|arm64)-", name)
    if not found:
        yield f"IMAGE is {image}: installimage takes the architecture from the name, such as -amd64-, and finds none."
    elif _ARCHITECTURES[found[1]] != machine.architecture:
        yield f"IMAGE is {image}, which is made for {found[1]}, and the server is {machine.architecture}."


def _drives(setup: Autosetup, drives: Mapping[int, str], machine: Machine) -> Iterator[str]:
    raid = setup.software_raid == "1"
    if not drives:
        yield "DRIVE1 names no disk."
    for n, path in drives.items():
        written = raid or n == 1 or n in setup.format_drives
        if written and path not in machine.disks:
            known = ", ".join(machine.disks) or "it has none"
            yield f"DRIVE{n} is {path or 'not given'}, which is no disk of this server ({known})."
    for path, times in Counter(path for path in drives.values() if path).items():
        if times > 1:
            yield f"{path} is named as {times} drives."
    formatted = [n for n in drives if n > 1 and n in setup.format_drives]
    if raid and formatted:
        yield f"FORMATDRIVE{formatted[0]} and SWRAID 1 exclude each other."


def _raid(setup: Autosetup, drives: Mapping[int, str]) -> Iterator[str]:
    if setup.software_raid not in ("0", "1"):
        yield f"SWRAID is {setup.software_raid}, and can be 0 or 1."
    if setup.software_raid != "1":
        return
    level = setup.raid_level
    if level not in RAID_LEVELS:
        yield f"SWRAIDLEVEL is {level}, and can be {', '.join(RAID_LEVELS)}."
    elif len(drives) < RAID_LEVELS[level]:
        yield f"RAID level {level} needs {RAID_LEVELS[level]} disks, and {len(drives)} are named."
    if level in ("0", "5", "6", "10") and not part_at(setup, "/boot"):
        yield f"RAID level {level} needs a /boot of its own: GRUB cannot read such an array."


def _order(setup: Autosetup) -> Iterator[str]:
    if volume_groups(setup) and setup.volumes and not (part_at(setup, "/boot") or part_at(setup, "/")):
        yield "Either /boot or / has to be outside of LVM."
    mounts = [part.mount for part in setup.parts]
    if "/boot" in mounts:
        if mounts.index("/boot") >= _PRIMARY:
            yield f"/boot has to be one of the first {_PRIMARY} partitions."
    elif "/" in mounts[_PRIMARY:]:
        yield f"/ has to be one of the first {_PRIMARY} partitions."


def _partitions(setup: Autosetup, drives: Mapping[int, str], machine: Machine) -> Iterator[str]:
    if not setup.parts:
        yield "There is no PART."
    count = sum(line.startswith("PART") for _n, line in setup.lines)  # also what is not read for want of a blank
    for n, part in enumerate(setup.parts, 1):
        yield from _partition(n, part, share(part, setup, len(drives)) or 0, last=n == count)
    esps = [part for part in setup.parts if part.filesystem == "esp"]
    if machine.uefi and len(esps) != 1:
        yield f"The server starts by UEFI and needs one EFI system partition, and there are {len(esps)}."


def _partition(n: int, part: Part, mib: int, last: bool) -> Iterator[str]:
    label = f"PART {n} ({part.mount})"
    if not _MOUNT.match(part.mount):
        yield f"{label} has no mount point: a path, swap, none, lvm or btrfs.NAME is."
    known = part.filesystem in (*_FILESYSTEMS, "esp") or part.filesystem.startswith("bios_grub")
    if part.mount != "lvm" and not known:
        yield f"{label} has the file system {part.filesystem or '(none)'}; there are {', '.join(_FILESYSTEMS)}, esp."
    if part.filesystem == "none" and part.mount != "none":
        yield f"{label} has no file system to be mounted."
    if part.size == ALL and not last:
        yield f"{label} has the size all, which only the last one can have."
    if part.size != ALL and not mib:
        yield f"{label} has the size {part.size or '(none given)'}, and needs a number with M, G or T, or all."
    if part.filesystem == "esp":
        if part.mount != "/boot/efi":
            yield f"{label} is an EFI system partition, and has to be mounted at /boot/efi."
        elif part.size == ALL or mib < _ESP_MIB:
            yield f"{label} is an EFI system partition, and needs a size of at least {_ESP_MIB}M."
    for mount, least in (("/boot", _BOOT_MIB), ("/", _ROOT_MIB)):
        if part.mount == mount and part.size != ALL and mib < least:
            yield f"{label} gets {mib} MiB on each disk, and needs at least {least}."


def _volumes(setup: Autosetup) -> Iterator[str]:
    groups = volume_groups(setup)
    if groups and not setup.volumes:
        yield "There is a volume group and no LV in it."
    last_of = {volume.group: n for n, volume in enumerate(setup.volumes)}
    for n, volume in enumerate(setup.volumes):
        label = f"LV {volume.name}"
        mib = mebibytes(volume.size)
        if not (volume.mount.startswith("/") or volume.mount in ("swap", "none")):
            yield f"{label} has no mount point: a path, swap or none is."
        if volume.filesystem not in _FILESYSTEMS:
            yield f"{label} has the file system {volume.filesystem or '(none)'}; there are {', '.join(_FILESYSTEMS)}."
        if volume.size != ALL and not mib:
            yield f"{label} has the size {volume.size or '(none given)'}, and needs a number with M, G or T, or all."
        if volume.mount == "/" and volume.size != ALL and (mib or 0) < _ROOT_MIB:
            yield f"{label} holds / and needs at least {_ROOT_MIB}M."
        if volume.size == ALL and last_of[volume.group] != n:
            yield f"{label} has the size all, which only the last one of {volume.group} can have."
        if volume.group not in groups:
            yield f"{label} is in {volume.group}, and there is no PART lvm {volume.group}."


def _subvolumes(setup: Autosetup) -> Iterator[str]:
    volumes = [part.mount for part in setup.parts if part.mount.startswith("btrfs.")]
    for name in volumes:
        if name not in [sub.volume for sub in setup.subvolumes]:
            yield f"There is no SUBVOL in {name}."
    for sub in setup.subvolumes:
        if sub.volume not in volumes:
            yield f"SUBVOL {sub.name} is in {sub.volume}, and there is no PART {sub.volume}."
        elif not sub.mount.startswith("/"):
            yield f"SUBVOL {sub.name} has no path to be mounted at."


def _mounts(setup: Autosetup) -> Iterator[str]:
    mounts = [part.mount for part in setup.parts if part.mount not in ("lvm", "swap", "none")]
    mounts += [volume.mount for volume in setup.volumes if volume.mount != "none"]
    mounts += [sub.mount for sub in setup.subvolumes]
    twice = sorted(mount for mount, times in Counter(mounts).items() if times > 1)
    if twice:
        yield f"{', '.join(twice)} is mounted more than once."
    if "/" not in mounts:
        yield "There is no partition for /."


def _space(setup: Autosetup, drives: Mapping[int, str], machine: Machine) -> Iterator[str]:
    sizes = [machine.disks[path] for path in drives.values() if path in machine.disks]
    if len(sizes) < len(drives) or not sizes:
        return  # told elsewhere
    count, there = len(sizes), sizes[0]
    if setup.software_raid == "1":
        there = min(sizes) * _data_disks(setup.raid_level, count)
    rest = REST_MIB if any(part.size == ALL for part in setup.parts) else 0
    open_groups = {part.filesystem for part in setup.parts if part.mount == "lvm" and part.size == ALL}
    taken = sum(share(part, setup, count) or 0 for part in setup.parts)
    taken += sum(mebibytes(volume.size) or 0 for volume in setup.volumes if volume.group in open_groups)
    if taken > there // 1024**2 - rest:
        yield f"The partitions take {taken} MiB, and there are {there // 1024**2 - rest}."


def _others(setup: Autosetup) -> Iterator[str]:
    boot_loader, governor = setup.values.get("BOOTLOADER", "grub"), setup.values.get("GOVERNOR", "ondemand")
    if boot_loader.lower() != "grub":
        yield f"BOOTLOADER is {boot_loader}, and can be grub only."
    if governor.lower() not in ("powersave", "performance", "ondemand"):
        yield f"GOVERNOR is {governor}, and can be powersave, performance or ondemand."
    if not setup.values.get("HOSTNAME"):
        yield "HOSTNAME is not given."
    if setup.encrypted and not setup.passphrase:
        yield "A partition is to be encrypted, and there is no CRYPTPASSWORD."
