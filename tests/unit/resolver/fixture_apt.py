# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The apt of this machine on a node that is only a folder: its own dpkg status, repositories and preferences.

Nothing is downloaded or installed and no root is needed: apt-get simulates, apt-cache tells.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.nvidia.relations import Package, stanza

_LINE = re.compile(
    r"^(?P<action>Inst|Remv|Purg) (?P<name>\S+) (?:\[(?P<old>[^]]*)\] )?(?:\((?P<new>\S+))?", re.MULTILINE
)


class FixtureApt:
    """``installed`` are the packages of the node by name; changes to it show in the next command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.installed: dict[str, Package] = {}
        self.states: dict[str, str] = {}
        self._sources: list[str] = []
        for path in ("etc/apt/preferences.d", "etc/apt/apt.conf.d", "lists/partial", "cache/archives/partial", "dpkg"):
            (folder / path).mkdir(parents=True)

    def add_repository(self, name: str, origin: str, packages: Iterable[Package]) -> None:
        """A flat repository of this origin; its packages cannot be fetched."""
        folder = self._folder / name
        folder.mkdir()
        archive = "Filename: ./none.deb\nSize: 1\nSHA256: " + "0" * 64 + "\n"
        (folder / "Packages").write_text("\n".join(stanza(package.fields) + archive for package in packages))
        (folder / "Release").write_text(f"Origin: {origin}\nLabel: {origin}\n")
        self._sources.append(f"deb [trusted=yes] file:{folder} ./")
        (self._folder / "etc/apt/sources.list").write_text("\n".join(self._sources) + "\n")
        self.run("apt-get", "update")

    def install(self, available: Iterable[Package], *names: str) -> None:
        """Have packages and all that they depend on installed, the first alternative of each."""
        packages = {package.name: package for package in available}
        wanted = list(names)
        while wanted:
            name = wanted.pop()
            if name not in self.installed and name in packages:
                self.installed[name] = packages[name]
                relations = packages[name].fields.get("Depends", "")
                wanted += [part.split("|")[0].split("(")[0].strip() for part in relations.split(",") if part.strip()]

    def write_preferences(self, content: str) -> None:
        (self._folder / "etc/apt/preferences.d/pin").write_text(content)

    def simulate(self, *arguments: str) -> tuple[dict[str, str], set[str]]:
        """What an apt-get command would install, by version, and what it would remove.

        :raises subprocess.CalledProcessError: apt says that it cannot be done.
        """
        installed: dict[str, str] = {}
        removed: set[str] = set()
        for line in _LINE.finditer(self.run("apt-get", "--simulate", *arguments)):
            if line["action"] == "Inst":
                installed[line["name"]] = line["new"]
            else:
                removed.add(line["name"])
        return installed, removed

    def run(self, program: str, *arguments: str) -> str:
        """A command of apt on this node."""
        self._write_status()
        folder = self._folder
        options = {
            "Dir": folder,
            "Dir::Etc": folder / "etc/apt",
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "dpkg/status",
            "Dir::Cache": folder / "cache",
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Get::AllowUnauthenticated": "true",
            "APT::Sandbox::User": "",
            "Debug::NoLocking": "true",
        }
        configuration = folder / "apt.conf"
        configuration.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
        environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}
        command = [program, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def ask(self, command: Sequence[str]) -> str:
        """For the readers: what it prints, whether it succeeds or not."""
        try:
            return self.run(*command)
        except subprocess.CalledProcessError as failure:
            return str(failure.stdout)

    def _write_status(self) -> None:
        words = {"i": "installed", "U": "unpacked", "F": "half-configured", "c": "config-files"}
        stanzas = []
        for name, package in self.installed.items():
            abbreviation = self.states.get(name, "ii")
            wish = {"i": "install", "h": "hold", "r": "deinstall"}[abbreviation[0]]
            status = f"{wish} ok {words[abbreviation[1]]}"
            stanzas.append(stanza({**package.fields, "Status": status}))
        (self._folder / "dpkg/status").write_text("\n".join(stanzas))
