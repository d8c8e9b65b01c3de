# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What installimage takes without a word, and what then ends badly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import (
    ALL,
    LAST_COUNTS,
    PASSPHRASE,
    REPEATED,
    VALUES,
    Autosetup,
    key_of,
    words,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import (
    REST_MIB,
    Machine,
    part_at,
    refusals,
    share,
    volume_groups,
)

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,64}}\Z){_LABEL}(\.{_LABEL})*\Z")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9/._:+-]+\Z")


def problems(setup: Autosetup, machine: Machine) -> list[str]:
    """All reasons not to start installimage with this file: its own refusals first."""
    return [*refusals(setup, machine), *traps(setup, machine)]


def traps(setup: Autosetup, machine: Machine) -> list[str]:
    """What installimage would take, and what would end badly."""
    return [
        *_misread_lines(setup),
        *_misread_drives(setup, machine),
        *_encryption(setup),
        *_partitions(setup, machine),
        *_others(setup),
    ]


def hostname_ok(name: str) -> bool:
    """RFC 1123, and the 64 characters of Linux. installimage takes whatever is not empty."""
    return bool(_HOSTNAME.match(name))


def _misread_lines(setup: Autosetup) -> Iterator[str]:
    seen: set[str] = set()
    for n, line in setup.lines:
        key = key_of(line)
        if key is None:
            yield f"Line {n} ({[*words(line), ''][0]}) has no key that installimage knows, so that it has no effect."
            continue
        if not line.startswith(f"{key} "):
            yield f"Line {n} has no blank after {key}, and installimage wants one."
        if key in seen and key not in REPEATED:
            yield f"{key} stands twice, and installimage takes the {'last' if key in LAST_COUNTS else 'first'}."
        for other in (*VALUES, PASSPHRASE, "DRIVE1", "FORMATDRIVE1"):
            if key != other and key.startswith(other) and other not in seen:
                yield f"{key} stands before {other}, and installimage would take it for that."
        if not line.isascii() or not line.isprintable():
            yield f"Line {n} ({key}) has a character that is no printable ASCII."
        seen.add(key)


def _misread_drives(setup: Autosetup, machine: Machine) -> Iterator[str]:
    if sorted(setup.drives) != list(range(1, len(setup.drives) + 1)):
        yield f"The drives are numbered {', '.join(map(str, setup.drives))}; installimage wants 1, 2, 3 without a gap."
    beyond = [n for n in setup.drives if n > len(machine.disks)]
    if beyond:
        yield f"DRIVE{beyond[0]} is not read: installimage counts {len(machine.disks)} disks."
    for n, path in setup.drives.items():
        if not _DEVICE.match(path):
            yield f"DRIVE{n} is {path}, which is no path of a device."
    for n, value in setup.format_drives.items():
        if value != "1":
            yield f"FORMATDRIVE{n} is {value}, and installimage erases the disk whatever is written there."
    if setup.software_raid == "1" and setup.raid_level == "10" and len(setup.drives) % 2:
        yield "RAID level 10 with an odd number of disks: installimage takes it for smaller than it is."


def _encryption(setup: Autosetup) -> Iterator[str]:
    for n, part in enumerate(setup.parts, 1):
        if part.crypt and part.crypt != "crypt":
            yield f"PART {n} ({part.mount}) ends with {part.crypt}; the only word that can stand there is crypt."
        if "crypt" in part.mount or (part.mount == "lvm" and "crypt" in part.filesystem):
            yield f"PART {n} ({part.mount}) has crypt in its name, which installimage takes for the word crypt."
    if not setup.encrypted:
        if setup.passphrase:
            yield "There is a CRYPTPASSWORD, and no partition is encrypted."
        return
    root, boot = part_at(setup, "/"), part_at(setup, "/boot")
    if boot is None:
        yield "An encrypted / needs a /boot of its own, from which the server can ask for the passphrase."
    elif boot.crypt:
        yield "/boot is encrypted, and nothing could ask for the passphrase."
    if root is not None and not root.crypt:
        yield "/ is not encrypted while another partition is: installimage would encrypt / too."
    if any(part.crypt for part in setup.parts if part.filesystem == "esp"):
        yield "The EFI system partition is encrypted, and the firmware could not read it."
    if any(part.mount == "swap" and not part.crypt for part in setup.parts):
        yield "/ is encrypted and the swap partition is not: it would hold parts of the memory in plain text."
    if setup.passphrase != setup.passphrase.strip():
        yield "CRYPTPASSWORD begins or ends with a blank."


def _partitions(setup: Autosetup, machine: Machine) -> Iterator[str]:
    boot = part_at(setup, "/boot")
    if boot is not None and boot.filesystem not in ("ext2", "ext3", "ext4"):
        yield f"/boot has the file system {boot.filesystem}; GRUB is sure to read ext4."
    if any(part.filesystem == "reiserfs" for part in setup.parts):
        yield "reiserfs is no longer supported by Linux."
    if not machine.uefi and any(part.filesystem == "esp" for part in setup.parts):
        yield "There is an EFI system partition, and the server does not start by UEFI."
    if volume_groups(setup):
        yield "LVM is used: installimage would remove the volume groups of all disks, not only of those it installs to."
    sizes = [machine.disks[path] for path in setup.drives.values() if path in machine.disks]
    used = sizes if setup.software_raid == "1" else sizes[:1]
    taken = sum(share(part, setup, len(sizes)) or 0 for part in setup.parts)
    rest = REST_MIB if any(part.size == ALL for part in setup.parts) else 0
    if used and taken + rest > min(used) // 1024**2:
        there = min(used) // 1024**2 - rest
        yield f"The partitions take {taken} MiB of each disk, and of the smallest {there} are there to be taken."


def _others(setup: Autosetup) -> Iterator[str]:
    name, image = setup.values.get("HOSTNAME", ""), setup.values.get("IMAGE", "")
    if name and not hostname_ok(name):
        yield f"HOSTNAME is {name}, which is no host name: letters, digits and hyphens, 64 characters at most."
    if not image.startswith("/"):
        yield f"IMAGE is {image}, and installimage downloads without checking certificates. Name a local file."
    if not re.search(r"debian|ubuntu", image.rpartition("/")[2], re.IGNORECASE):
        yield f"IMAGE is {image}, which is neither Debian nor Ubuntu."
