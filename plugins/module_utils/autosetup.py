# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file /autosetup of Hetzner's installimage, read as installimage reads it.

It takes the first line that begins with a key's name (``SWRAIDLEVEL 1`` before ``SWRAID 1`` is read as both), the
second word of that line, and nothing of what it does not know. Source: ``read_vars`` of functions.sh in
https://github.com/hetzneronline/installimage, commit d7805b2c54a28bdfc32d57a537d30d6e9eb3ec78.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# Where a key stands twice, the first one counts; with these two it is the last.
LAST_COUNTS = ("IPV4_ONLY", "USE_KERNEL_MODE_SETTING")
VALUES = (
    "SWRAID",
    "SWRAIDLEVEL",
    "BOOTLOADER",
    "HOSTNAME",
    "IMAGE",
    "GOVERNOR",
    "SSHKEYS_URL",
    "TAKE_OVER_RESCUE_SYSTEM_SSH_PUBLIC_KEYS",
    *LAST_COUNTS,
    # Not in its documentation.
    "RAID_ASSUME_CLEAN",
    "RAID_LAYOUT",
    "FORCE_GPT",
    "FORCE_SIGN",
    "FORCE_PASSWORD",
    "PRESERVE_VG",
    "PRESERVE_FS",
    "REUSE_FSTAB",
    "ALLOW_USB_DRIVES",
)
PASSPHRASE = "CRYPTPASSWORD"
REPEATED = ("PART", "LV", "SUBVOL")
_NUMBERED = re.compile(r"(FORMATDRIVE|DRIVE)([1-9][0-9]?)\Z")
_MOST_DRIVES = 99
_UNITS = {"M": 1, "MiB": 1, "G": 1024, "GiB": 1024, "T": 1024**2, "TiB": 1024**2}
ALL = "all"
HIDDEN = "[hidden]"


@dataclass(frozen=True)
class Part:
    """A line ``PART mount filesystem size [crypt]``; with mount ``lvm`` the file system is a volume group's name."""

    mount: str
    filesystem: str
    size: str
    crypt: str = ""

    @property
    def mib(self) -> int | None:
        """None for the rest of the disk (``all``), and for what is no size."""
        return mebibytes(self.size)


@dataclass(frozen=True)
class LogicalVolume:
    """A line ``LV group name mount filesystem size``."""

    group: str
    name: str
    mount: str
    filesystem: str
    size: str


@dataclass(frozen=True)
class Subvolume:
    """A line ``SUBVOL volume name mount``."""

    volume: str
    name: str
    mount: str


@dataclass(frozen=True)
class Autosetup:
    """What installimage understands. ``values`` has the second word of each key that is there, as it is written.

    ``lines`` are those that are neither empty nor comments, with the number of the line.
    """

    drives: Mapping[int, str] = field(default_factory=dict)
    format_drives: Mapping[int, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    volumes: tuple[LogicalVolume, ...] = ()
    subvolumes: tuple[Subvolume, ...] = ()
    passphrase: str = field(default="", repr=False)
    lines: tuple[tuple[int, str], ...] = field(default=(), repr=False)

    @property
    def software_raid(self) -> str:
        """``0`` unless something else is written."""
        return self.values.get("SWRAID") or "0"

    @property
    def raid_level(self) -> str:
        """``1`` unless something else is written; means nothing without software RAID."""
        return self.values.get("SWRAIDLEVEL") or "1"

    @property
    def encrypted(self) -> bool:
        """Any fifth word of a PART line makes installimage ask for a passphrase."""
        return any(part.crypt for part in self.parts)

    def switch(self, key: str, default: bool) -> bool:
        """A key that is yes or no: only the first letter counts."""
        letter = self.values.get(key, "")[:1]
        return {"y": True, "n": False}.get(letter, default)


def mebibytes(size: str) -> int | None:
    """``2G`` is 2048. None where installimage sees no number; digits alone are mebibytes."""
    found = re.fullmatch(r"([0-9]+)(M|MiB|G|GiB|T|TiB)?", size)
    return int(found[1]) * _UNITS[found[2] or "M"] if found else None


def words(line: str) -> list[str]:
    """As awk splits a line: a carriage return is part of a word."""
    return [word for word in line.replace("\t", " ").split(" ") if word]


def key_of(line: str) -> str | None:
    """The key that a line was meant for; None where installimage knows no such key."""
    word = (words(line) or [""])[0]
    known = word in VALUES or word in REPEATED or word == PASSPHRASE or _NUMBERED.match(word)
    return word if known and line.startswith(word) else None


def parse(text: str) -> Autosetup:
    """What installimage makes of it. It refuses nothing here: see autosetup_rules."""
    lines = text.split("\n")
    numbered = tuple((n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#"))
    values = {key: _second_word(_line(lines, key)) for key in VALUES}
    passphrase = next((line for line in lines if line.startswith(f"{PASSPHRASE} ")), "")
    return Autosetup(
        drives=_by_number(lines, "DRIVE"),
        format_drives=_by_number(lines, "FORMATDRIVE"),
        values={key: value for key, value in values.items() if value},
        parts=tuple(Part(*row) for row in _rows(lines, "PART", 4)),
        volumes=tuple(LogicalVolume(*row) for row in _rows(lines, "LV", 5)),
        subvolumes=tuple(Subvolume(*row) for row in _rows(lines, "SUBVOL", 3)),
        passphrase=passphrase.partition(" ")[2],
        lines=numbered,
    )


def masked(text: str, passphrase: str = "") -> str:
    """Without the passphrase: for logs, for the screen, and for what is compared.

    :param text: an autosetup, or a log in which one is printed.
    :param passphrase: hidden wherever else it stands.
    """
    hidden = re.sub(rf"({PASSPHRASE})[ \t].*", rf"\1 {HIDDEN}", text)
    return hidden.replace(passphrase, HIDDEN) if passphrase else hidden


def _line(lines: list[str], key: str) -> str:
    found = reversed(lines) if key in LAST_COUNTS else lines
    return next((line for line in found if line.startswith(key)), "")


def _second_word(line: str) -> str:
    return [*words(line), "", ""][1]


def _by_number(lines: list[str], key: str) -> dict[int, str]:
    values = {n: _second_word(_line(lines, f"{key}{n}")) for n in range(1, _MOST_DRIVES + 1)}
    return {n: value for n, value in values.items() if value}


def _rows(lines: list[str], key: str, columns: int) -> Iterator[list[str]]:
    for line in lines:
        if line.startswith(f"{key} "):
            yield (words(line)[1:] + [""] * columns)[:columns]
