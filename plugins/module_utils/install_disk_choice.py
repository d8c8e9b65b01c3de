# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disks that were announced, found among those of the server.

A disk is announced by what does not change: ``serial`` or ``wwn``, or its ``name`` together with ``size_gb``, as the
kernel may name disks otherwise in the next boot. Or all are announced at once by ``count`` and ``minimum_size_gb``.
Only these may be erased, and whatever does not fit stops the play.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.install_disks import Disk, unusable

Announced = Sequence[Mapping[str, Any]]

SETTING = "hetzner_bootstrap_disks"
_SINGLE = ("name", "serial", "wwn", "model", "size_gb")
_ALL = ("count", "minimum_size_gb")
# 512 GB are 512.1 and 1.92 TB are 1920.4: sizes are announced as they are sold.
_TOLERANCE = 0.05
_OF_INSTALLIMAGE = "/installimage."


@dataclass
class Choice:
    """``disks`` are erased, in this order; ``problems`` are the reasons not to."""

    disks: list[Disk] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def announcement_problems(announced: Any) -> list[str]:
    """What is wrong with the setting itself."""
    if isinstance(announced, (str, Mapping)) or not isinstance(announced, Sequence):
        return [f"{SETTING} is no list. {_HELP}"]
    if not announced:
        return [f"{SETTING} is empty: no disk may be erased. {_HELP}"]
    if any("count" in entry for entry in announced if isinstance(entry, Mapping)):
        return list(_all_at_once(announced))
    return [problem for entry in announced for problem in _single(entry)]


def expected_count(announced: Announced) -> int:
    """How many disks they are."""
    counts = [int(entry["count"]) for entry in announced if "count" in entry]
    return counts[0] if counts else len(announced)


def choose(disks: Sequence[Disk], announced: Announced) -> Choice:
    """The announced disks, and what speaks against erasing them.

    :param disks: all of the server.
    """
    problems = announcement_problems(announced)
    if problems:
        return Choice(problems=[*problems, _there(disks)])
    choice = _by_count(disks, announced[0]) if "count" in announced[0] else _by_identity(disks, announced)
    choice.problems += [problem for disk in choice.disks for problem in _in_the_way(disk)]
    choice.problems += _torn(choice.disks, disks)
    if choice.problems:
        choice.problems.append(_there(disks))
    return choice


def wiped(disks: Sequence[Disk]) -> list[str]:
    """What would be lost, a line for each disk and for each thing on it."""
    return [line for disk in disks for line in (disk.label(), *[f"  {content}" for content in _contents(disk)])]


def _contents(disk: Disk) -> Sequence[str]:
    return disk.contents or ("no partitions or file systems found",)


_HELP = (
    "List the disks that may be erased, each by its serial or wwn, or by name and size_gb; or write one entry with "
    "count and minimum_size_gb, which means all disks of the server that are at least as large."
)


def _all_at_once(announced: Announced) -> Iterator[str]:
    entry = announced[0]
    if len(announced) > 1 or set(entry) != set(_ALL):
        yield f"{SETTING} has count beside other things. An entry with {' and '.join(_ALL)} stands alone. {_HELP}"
    elif not _positive(entry["minimum_size_gb"]) or not re.fullmatch("[1-9][0-9]?", str(entry["count"])):
        told = f"count {entry['count']!r} and minimum_size_gb {entry['minimum_size_gb']!r}"
        yield f"{SETTING} has {told}. Both are numbers, and count is a whole one."


def _single(entry: Any) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"{SETTING} has the entry {entry!r}, which is no mapping. {_HELP}"
        return
    unknown = sorted(set(entry) - set(_SINGLE))
    if unknown:
        yield f"{SETTING} has an entry with {', '.join(unknown)}. What can stand there is {', '.join(_SINGLE)}."
    if "size_gb" in entry and not _positive(entry["size_gb"]):
        yield f"{SETTING} has the size_gb {entry['size_gb']!r}, which is no number."
    known = {key for key in entry if str(entry[key] or "").strip()}
    if not known & {"serial", "wwn"} and not {"name", "size_gb"} <= known:
        yield (
            f"{SETTING} has an entry with {', '.join(sorted(known)) or 'nothing'} only, which is too little to tell a "
            "disk by: give its serial or its wwn, or its name and its size_gb."
        )


def _by_identity(disks: Sequence[Disk], announced: Announced) -> Choice:
    choice = Choice()
    for entry in announced:
        told = ", ".join(f"{key} {value}" for key, value in entry.items())
        found = [disk for disk in disks if _matches(disk, entry)]
        if not found:
            choice.problems.append(f"No disk of the server has {told}.{_almost(disks, entry)}")
        elif len(found) > 1:
            choice.problems.append(f"{len(found)} disks have {told}: {', '.join(disk.path for disk in found)}.")
        elif found[0] in choice.disks:
            choice.problems.append(f"{found[0].path} is announced twice.")
        else:
            choice.disks.append(found[0])
    choice.problems += _by_name_only(disks, announced, choice.disks)
    return choice


def _by_name_only(disks: Sequence[Disk], announced: Announced, chosen: Sequence[Disk]) -> Iterator[str]:
    """Names change from boot to boot, and then a disk of the same size is taken for the one that was meant."""
    for entry in announced:
        if any(str(entry.get(key) or "").strip() for key in ("serial", "wwn")):
            continue
        alike = {key: value for key, value in entry.items() if key != "name"}
        for disk in disks:
            if disk not in chosen and _matches(disk, alike):
                yield (
                    f"{entry['name']} is announced by its name, and {disk.label()}, which was not announced, is as "
                    "large. Names of disks change from one boot to the next: announce it by its serial."
                )


def _by_count(disks: Sequence[Disk], entry: Mapping[str, Any]) -> Choice:
    least, count = float(entry["minimum_size_gb"]), int(entry["count"])
    found = [disk for disk in disks if not list(unusable(disk)) and disk.size_gb >= least * (1 - _TOLERANCE)]
    if len(found) == count:
        return Choice(disks=found)
    return Choice(
        problems=[
            f"{count} disks of {least:g} GB or more were announced, and the server has {len(found)} that something can "
            "be installed to. If some of them are to stay as they are, announce the others by their serials."
        ]
    )


def _matches(disk: Disk, entry: Mapping[str, Any]) -> bool:
    seen = {"name": disk.name, "serial": disk.serial, "wwn": disk.wwn, "model": disk.model}
    for key, value in entry.items():
        if key == "size_gb":
            if abs(disk.size_gb - float(value)) > _TOLERANCE * float(value):
                return False
        elif seen[key].lower() != str(value).strip().removeprefix("/dev/").lower():
            return False
    return True


def _almost(disks: Sequence[Disk], entry: Mapping[str, Any]) -> str:
    """A disk that fits but for one thing is the one that was meant."""
    for disk in disks:
        others = [key for key in entry if not _matches(disk, {key: entry[key]})]
        if len(others) == 1 and len(entry) > 1:
            return f" {disk.label()} differs in {others[0]} only."
    return ""


def _in_the_way(disk: Disk) -> Iterator[str]:
    for reason in unusable(disk):
        yield f"{disk.label()} cannot be installed to: {reason}."
    # One that was ended has left its mounts, and the next one takes them away.
    mounted = [place for place in disk.mounted if not place.startswith(_OF_INSTALLIMAGE)]
    if mounted:
        yield (
            f"{disk.path} is in use: {', '.join(mounted)}. In a fresh rescue system nothing is mounted, so that "
            "someone may be saving data. Unmount it (swapoff for [SWAP]), or start the rescue system anew."
        )


def _torn(chosen: Sequence[Disk], disks: Sequence[Disk]) -> Iterator[str]:
    """Arrays and volume groups that reach to a disk that stays: erasing one half breaks the other."""
    for disk in disks:
        if disk in chosen:
            continue
        shared = [(one, name) for one in chosen for name in one.belongs_to if name in disk.belongs_to]
        for name in dict.fromkeys(name for _one, name in shared):
            torn = ", ".join(one.path for one, other in shared if other == name)
            yield (
                f"{name} is on {torn} and on {disk.path}, which was not announced: its data would be lost or degraded. "
                f"Announce {disk.path} too, or take the array or group apart in the rescue system."
            )


def _there(disks: Sequence[Disk]) -> str:
    return f"The server has {'; '.join(disk.label() for disk in disks) or 'no disks'}."


def _positive(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) > 0
    except (TypeError, ValueError):
        return False
