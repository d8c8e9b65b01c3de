# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write Debian packages: an ar archive of two tar archives (deb(5)), everything owned by root, no time in it."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


@dataclass
class Contents:
    """What a package installs: files, links and configuration files by absolute path, and its maintainer scripts."""

    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    conffiles: list[str] = field(default_factory=list)
    scripts: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        self.files[path] = (data.encode() if isinstance(data, str) else data, mode)

    def run(self, script: str, commands: str) -> None:
        """Let a maintainer script ("postinst", ...) run shell commands; those of several payloads follow each other."""
        assert script in _SCRIPTS, script
        self.scripts[script] = self.scripts.get(script, "#!/bin/sh\nset -e\n") + commands.strip() + "\n"


def write(path: Path, control: str, contents: Contents) -> None:
    """Write the package whose control file has this text."""
    about: dict[str, tuple[bytes, int]] = {"./control": (control.encode(), 0o644)}
    if contents.conffiles:
        about["./conffiles"] = ("".join(f"{name}\n" for name in contents.conffiles).encode(), 0o644)
    for name, text in contents.scripts.items():
        about[f"./{name}"] = (text.encode(), 0o755)
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar(about, {}),
        "data.tar.gz": _tar({f".{name}": file for name, file in contents.files.items()}, contents.links),
    }
    with path.open("wb") as output:
        output.write(b"!<arch>\n")
        for name, data in members.items():
            output.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data)
            output.write(b"\n" * (len(data) % 2))


def _tar(files: dict[str, tuple[bytes, int]], links: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as archive:
        folders = {
            str(folder) for name in (*files, *(f".{link}" for link in links)) for folder in PurePosixPath(name).parents
        }
        for folder in sorted({".", *folders}):
            entry = tarfile.TarInfo("./" if folder == "." else f"./{folder}/")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(_owned(entry))
        for name, (data, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(_owned(entry), io.BytesIO(data))
        for name, target in sorted(links.items()):
            entry = tarfile.TarInfo(f".{name}")
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(_owned(entry))
    return buffer.getvalue()


def _owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uname = entry.gname = "root"
    return entry
