# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of packages in relations/, expanded for every version that they are for (relations/README.md)."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent / "relations"
VENDORS = tuple(sorted(path.stem for path in _FOLDER.glob("*.control")))


@dataclass(frozen=True)
class Package:
    """One version of one package: the fields of its control file, and the names of what it installs."""

    fields: dict[str, str]
    payloads: tuple[str, ...]
    upstream: str

    @property
    def name(self) -> str:
        return self.fields["Package"]

    @property
    def version(self) -> str:
        return self.fields["Version"]

    @property
    def file_name(self) -> str:
        version = self.version.partition(":")[2] or self.version
        return f"{self.name}_{version}_{self.fields['Architecture']}.deb"


@dataclass(frozen=True)
class Vendor:
    """The packages of one list and the stand-in repositories that have them, as paths below the server's root."""

    repositories: tuple[str, ...]
    packages: tuple[Package, ...]

    def stanzas(self) -> str:
        """All packages as a Packages file without the fields of the archive; apt's resolver needs no more."""
        return "\n".join(stanza(package.fields) for package in self.packages)


def vendor(name: str, kernel: str | None = None) -> Vendor:
    """The list of this name, one of VENDORS.

    :param kernel: the release of the kernel that packages are for; the running one unless told.
    """
    kernel = kernel or platform.release()
    number = re.match(r"[0-9.]*[0-9]", kernel)
    known = {"kernel": kernel, "kernel_number": number[0] if number else "0"}
    heading, *templates = paragraphs((_FOLDER / f"{name}.control").read_text())
    packages: dict[tuple[str, str], Package] = {}
    for version in _expand(heading["Versions"], known).split():
        for template in templates:
            package = _package(template, version, known)
            if package is not None:
                packages.setdefault((package.name, package.version), package)
    return Vendor(tuple(heading["Repositories"].split()), tuple(packages.values()))


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a deb822 text; lines that begin with # are comments."""
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.strip("\n").splitlines():
            if line[:1].isspace():
                fields[name] += f"\n{line}"
            else:
                name, _colon, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields


def stanza(fields: dict[str, str]) -> str:
    """A paragraph as deb822 text."""
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _package(template: dict[str, str], version: str, known: dict[str, str]) -> Package | None:
    upstream = version.partition(":")[2] or version
    upstream = upstream.partition("-")[0]
    branch = upstream.partition(".")[0]
    if template.get("X-Only-Branch", branch) != branch:
        return None
    known = {**known, "version": version, "upstream": upstream, "branch": branch}
    fields = {"Package": "", "Version": version, "Architecture": "amd64"}
    fields.update({name: _expand(value, known) for name, value in template.items() if not name.startswith("X-")})
    fields["Maintainer"] = "The test bench <nobody@localhost>"
    fields["Description"] = "stand-in of the test bench"
    return Package(fields, tuple(template.get("X-Payload", "").split()), upstream)


def _expand(text: str, known: dict[str, str]) -> str:
    return Template(text).substitute(known)
