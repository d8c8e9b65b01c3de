# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of somebody else that name a repository which is about to be added.

apt reads nothing any more while two sources of one repository name different keys ("Conflicting values set for option
Signed-By"). A file of nothing else can be put aside. Any other file is its owner's: without it the machine may have no
packages at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_sources import Repository

MAIN_FILE = "/etc/apt/sources.list"


@dataclass(frozen=True)
class SupersededFile:
    """A file that holds nothing but rivals, and why it cannot stay."""

    path: str
    why: str


@dataclass(frozen=True)
class Rivals:
    """``reasons`` are those to stop: files that hold rivals, and more."""

    superseded: list[SupersededFile]
    reasons: list[str]


def find(repositories: Iterable[Repository], own_file: str, why: Callable[[str], str]) -> Rivals:
    """Sort the files with rivals into those to put aside and those to stop at.

    :param own_file: the file that is about to be written, which is no rival of itself.
    :param why: says of an address why its source cannot stay; nothing if it can.
    """
    files: dict[str, list[Repository]] = {}
    for repository in repositories:
        files.setdefault(repository.path, []).append(repository)
    rivals = Rivals([], [])
    for path, entries in files.items():
        named = [entry for entry in entries if why(entry.uri)]
        if not named:
            continue
        if path == MAIN_FILE or len(named) < len(entries):
            rivals.reasons.append(_reason(path, named, why(named[0].uri)))
        elif path != own_file:
            rivals.superseded.append(SupersededFile(path, why(named[0].uri)))
    return rivals


def second_source(addresses: Sequence[str]) -> Callable[[str], str]:
    """For ``find``: whatever lies at one of these addresses or below it, by http or https."""
    wanted = [_bare(address) for address in addresses]

    def why(uri: str) -> str:
        if any(_bare(uri) == address or _bare(uri).startswith(f"{address}/") for address in wanted):
            return "another source of the same packages; apt refuses two of one repository with different keys"
        return ""

    return why


def _bare(address: str) -> str:
    return address.partition("://")[2].rstrip("/") or address.rstrip("/")


def _reason(path: str, named: Sequence[Repository], why: str) -> str:
    places = " and ".join(f'line {entry.line} ("{entry.uri}")' for entry in named)
    what = "the stanza that has it" if path.endswith(".sources") else "the line"
    return (
        f"{path} names {', '.join(dict.fromkeys(entry.uri for entry in named))}: {why}. The file may not go, because "
        f"it {'is the main one' if path == MAIN_FILE else 'names other repositories too'}. Take {what} out of it or "
        f"comment it out, {places}, and run this again."
    )
