# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package repositories that apt is told of, in one-line (.list) and deb822 (.sources) form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import read_as_is

_LINE = re.compile(r"^deb(?:-src)?\s+(?:\[(?P<options>[^]]*)]\s+)?(?P<uri>\S+)\s+\S")
_SIGNED_BY = re.compile(r"(?:^|\s)signed-by=(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Repository:
    """``signed_by`` is null where every key that apt trusts will do; ``line`` is where the file names ``uri``."""

    path: str
    uri: str
    signed_by: str | None
    line: int = field(default=0, compare=False)

    def as_dict(self) -> dict[str, str | None]:
        """For return values."""
        return {"path": self.path, "uri": self.uri, "signed_by": self.signed_by}


def read(root: Path) -> list[Repository]:
    """Those that are enabled, in the order of the files."""
    folder = root / "etc/apt"
    one_line = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]
    found = [repository for path in one_line for repository in _one_line(path, root)]
    return found + [
        repository for path in sorted(folder.glob("sources.list.d/*.sources")) for repository in _deb822(path, root)
    ]


def _one_line(path: Path, root: Path) -> Iterator[Repository]:
    for number, line in enumerate((read_as_is(path) or "").splitlines(), start=1):
        entry = _LINE.match(line.strip())
        if entry:
            signed_by = _SIGNED_BY.search(entry["options"] or "")
            yield Repository(_on_node(path, root), entry["uri"], signed_by[1] if signed_by else None, number)


def _deb822(path: Path, root: Path) -> Iterator[Repository]:
    text = read_as_is(path) or ""
    for stanza in re.finditer(r"\S.*?(?=\n\s*\n|\Z)", text, re.DOTALL):
        fields = _fields(stanza[0])
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        signed_by = fields.get("signed-by") or None
        if signed_by and "BEGIN PGP" in signed_by:
            signed_by = "a key in the file itself"
        for uri in fields.get("uris", "").split():
            place = text.index(uri, stanza.start())
            yield Repository(_on_node(path, root), uri, signed_by, text.count("\n", 0, place) + 1)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.lower()
            fields[name] = value.strip()
    return fields


def _on_node(path: Path, root: Path) -> str:
    return f"/{path.relative_to(root)}"
