# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dpkg knows of packages: version, state, hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask

_LIST = ("dpkg-query", "-W", "-f=${db:Status-Abbrev}|${Package}|${Version}|${Architecture}\n")
_HOLDS = ("apt-mark", "showhold")


@dataclass(frozen=True)
class Package:
    """``state`` is dpkg's abbreviation without the wish: ``i`` installed, ``c`` only its configuration is left, ``U``
    unpacked, ``F`` half-configured, ``H`` half-installed, ``W`` and ``t`` triggers outstanding."""

    name: str
    version: str
    architecture: str
    wish: str
    state: str
    reinstallation_required: bool = False
    held: bool = False

    @property
    def abbreviation(self) -> str:
        """As dpkg writes it, such as ``ii``, ``rc``, ``iF``."""
        return self.wish + self.state + ("R" if self.reinstallation_required else "")

    @property
    def on_disk(self) -> bool:
        """Whether its files are there, all or some."""
        return self.state not in ("n", "c")

    @property
    def broken(self) -> bool:
        """Whether dpkg has not finished with it."""
        return self.on_disk and (self.state != "i" or self.reinstallation_required)


def read(ask: Ask) -> tuple[Package, ...]:
    """All packages that dpkg knows, with those that apt holds marked."""
    return parse(ask(_LIST), ask(_HOLDS).split())


def parse(status: str, holds: Collection[str] = ()) -> tuple[Package, ...]:
    """From the lines of dpkg-query and the names that apt-mark showhold prints, which may end in an architecture."""
    packages = (_package(line, holds) for line in status.splitlines() if line.count("|") == 3 and line[2:3])
    return tuple(package for package in packages if package.state != "n")


def _package(line: str, holds: Collection[str]) -> Package:
    abbreviation, name, version, architecture = line.split("|")
    wish = abbreviation[0]
    held = wish == "h" or name in holds or f"{name}:{architecture}" in holds
    return Package(name, version, architecture, wish, abbreviation[1], "R" in abbreviation[2:], held)
