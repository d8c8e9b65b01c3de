# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disks of a server, as ``lsblk --json --bytes --output-all`` sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Device = Mapping[str, Any]

GB = 1000**3
# What installimage counts: getdrives of its functions.sh.
_COUNTED = re.compile(r"(?:nvme[0-9].*n[0-9]|[hvs]d[a-z]|xvd[a-z])\Z")
_NO_DISK = re.compile(r"(?:loop|ram|zram|nbd|rbd|drbd|md|dm-|sr|fd)[0-9]")
_LEAST_BYTES = 7_000_000 * 1024  # smaller ones are not counted where there are several
_ELSEWHERE = {"iscsi": "iSCSI", "fc": "Fibre Channel", "fcoe": "Fibre Channel", "usb": "USB"}
# Their UUID is that of the array, pool or file system that they belong to, and not their own.
_SHARED = ("linux_raid_member", "ddf_raid_member", "isw_raid_member", "btrfs", "zfs_member", "bcachefs")


@dataclass(frozen=True)
class Disk:
    """A disk with what is on it.

    ``contents`` tells each partition or file system in words; ``mounted`` where they are mounted, swap space included;
    ``belongs_to`` are the arrays, volume groups and the like that it is a part of, by their names.
    """

    path: str
    size_bytes: int
    model: str = ""
    serial: str = ""
    wwn: str = ""
    transport: str = ""
    removable: bool = False
    read_only: bool = False
    contents: tuple[str, ...] = ()
    mounted: tuple[str, ...] = ()
    belongs_to: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """That of the kernel, such as nvme0n1."""
        return self.path.rpartition("/")[2]

    @property
    def size_gb(self) -> float:
        """As it is sold: 1 GB is 10^9 bytes."""
        return self.size_bytes / GB

    def label(self) -> str:
        """What a person knows it by."""
        kind = {"nvme": "NVMe", "sata": "SATA", "sas": "SAS", **_ELSEWHERE}.get(self.transport, self.transport)
        known = [self.model, f"serial {self.serial or 'unknown'}", f"{self.size_gb:.0f} GB", kind]
        return f"{self.path} ({', '.join(filter(None, known))})"


def read(lsblk: Mapping[str, Any], volume_groups: Mapping[str, str] | None = None) -> list[Disk]:
    """All disks, by their paths: also those that nothing can be installed to, without those that are none.

    :param lsblk: its JSON.
    :param volume_groups: the name of LVM's group by the path of the physical volume, as far as known.
    """
    devices = [one for one in lsblk.get("blockdevices") or () if one.get("type") == "disk" and _number(one, "size")]
    disks = [_disk(one, volume_groups or {}) for one in devices if not _NO_DISK.match(str(one.get("name")))]
    return sorted(disks, key=lambda disk: _natural(disk.path))


def counted(disks: list[Disk]) -> list[Disk]:
    """Those that installimage counts."""
    known = [disk for disk in disks if _COUNTED.match(disk.name)]
    return known if len(known) == 1 else [disk for disk in known if disk.size_bytes >= _LEAST_BYTES]


def unusable(disk: Disk) -> Iterator[str]:
    """Why nothing can be installed to it, whatever was announced."""
    if disk.transport in _ELSEWHERE:
        yield f"it is attached by {_ELSEWHERE[disk.transport]}"
    elif disk.removable:
        yield "it is removable"
    if disk.read_only:
        yield "it is read-only"
    if not _COUNTED.match(disk.name):
        yield "installimage knows no disks of this name"
    elif disk.size_bytes < _LEAST_BYTES:
        yield f"with {disk.size_gb:.1f} GB it is too small"


def _disk(device: Device, volume_groups: Mapping[str, str]) -> Disk:
    tree = [device, *_below(device)]
    return Disk(
        path=_path(device),
        size_bytes=_number(device, "size"),
        model=_text(device, "model"),
        serial=_text(device, "serial"),
        wwn=_text(device, "wwn"),
        transport=_text(device, "tran").lower(),
        removable=_flag(device, "rm"),
        read_only=_flag(device, "ro"),
        contents=tuple(_once(line for one in tree if (line := _content(one, volume_groups)))),
        mounted=tuple(_once(place for one in tree for place in _mounts(one))),
        belongs_to=tuple(_once(name for one in tree for name in _belongs(one, volume_groups))),
    )


def _below(device: Device) -> Iterator[Device]:
    for child in device.get("children") or ():
        yield child
        yield from _below(child)


def _content(device: Device, volume_groups: Mapping[str, str]) -> str:
    kind, filesystem = _text(device, "type"), _text(device, "fstype")
    if kind == "disk" and not filesystem:
        return ""  # its partitions tell
    labels = [_text(device, key) for key in ("label", "partlabel") if _text(device, key)]
    words = [
        f"{_path(device)}: {_size(_number(device, 'size'))}",
        filesystem or _text(device, "parttypename") or "no file system",
        f"labelled {labels[0]}" if labels else "",
        f"in volume group {volume_groups[_path(device)]}" if _path(device) in volume_groups else "",
        f"mounted at {' and '.join(_mounts(device))}" if _mounts(device) else "",
    ]
    return ", ".join(filter(None, words))


def _belongs(device: Device, volume_groups: Mapping[str, str]) -> Iterator[str]:
    if _text(device, "type") not in ("disk", "part"):
        yield f"{_text(device, 'type')} {_path(device)}"
    if _text(device, "fstype") in _SHARED and _text(device, "uuid"):
        yield f"{_text(device, 'fstype')} {_text(device, 'label') or _text(device, 'uuid')}"
    if _path(device) in volume_groups:
        yield f"volume group {volume_groups[_path(device)]}"


def _mounts(device: Device) -> list[str]:
    # Up to util-linux 2.36 there is one mount point only.
    places = device.get("mountpoints") or [device.get("mountpoint")]
    return [str(place) for place in places if place]


def _path(device: Device) -> str:
    return _text(device, "path") or f"/dev/{_text(device, 'name')}"


def _text(device: Device, key: str) -> str:
    return str(device.get(key) or "").strip()


def _number(device: Device, key: str) -> int:
    return int(device.get(key) or 0)


def _flag(device: Device, key: str) -> bool:
    # Up to util-linux 2.32 all values are strings.
    return device.get(key) in (True, 1, "1", "true")


def _size(size: int) -> str:
    return f"{size / GB:.0f} GB" if size >= 10 * GB else f"{size / 1000**2:.0f} MB"


def _once(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _natural(path: str) -> list[tuple[bool, int, str]]:
    pieces = re.split(r"([0-9]+)", path)
    return [(piece.isdecimal(), int(piece) if piece.isdecimal() else 0, piece) for piece in pieces]
