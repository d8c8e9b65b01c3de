# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where on a server's disks a system may lie that this collection has installed: with ext4, or encrypted by LUKS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Device = Mapping[str, Any]


def places(lsblk: Mapping[str, Any], drives: Sequence[str]) -> dict[str, Any]:
    """What of these disks has to be looked into.

    :param lsblk: the output of ``lsblk --json --bytes --output-all``, parsed.
    :param drives: the paths of the disks.
    :return: ``filesystems``: the paths of those that are ext4; ``encrypted``: those of LUKS that nobody has opened;
        ``arrays``: the members of each software RAID that is not put together.
    """
    disks = [device for device in lsblk.get("blockdevices") or () if _path(device) in drives]
    devices = {_path(device): device for disk in disks for device in _tree(disk)}
    arrays: dict[str, list[str]] = {}
    for path, device in devices.items():
        if device.get("fstype") == "linux_raid_member" and not _used(device):
            arrays.setdefault(str(device.get("uuid")), []).append(path)
    return {
        "filesystems": [path for path, device in devices.items() if device.get("fstype") == "ext4"],
        "encrypted": [
            path for path, device in devices.items() if device.get("fstype") == "crypto_LUKS" and not _used(device)
        ],
        "arrays": list(arrays.values()),
    }


def _tree(device: Device) -> Iterator[Device]:
    yield device
    for child in device.get("children") or ():
        yield from _tree(child)


def _used(device: Device) -> bool:
    """An array that is not complete may be there without a size."""
    return any(int(child.get("size") or 0) > 0 for child in device.get("children") or ())


def _path(device: Device) -> str:
    return str(device.get("path") or f"/dev/{device.get('name')}")
