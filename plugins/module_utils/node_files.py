# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a node, seen below a root folder, so that recorded trees can be read as well as the machine itself."""

from __future__ import annotations

from pathlib import Path

_LINKS_FOLLOWED = 40  # as the kernel does


def read_text(path: Path) -> str | None:
    """The content without white space around it; null where it cannot be read."""
    content = read_as_is(path)
    return None if content is None else content.strip()


def read_as_is(path: Path) -> str | None:
    """The content with all its lines; null where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def real_path(root: Path, path: str) -> str | None:
    """Where all links of an absolute path lead, absolute links counting from ``root``; null if that does not exist."""
    parts = [part for part in path.split("/") if part]
    seen: list[str] = []
    links = 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            seen = seen[:-1]
            continue
        step = root.joinpath(*seen, part)
        if step.is_symlink() and links < _LINKS_FOLLOWED:
            links += 1
            target = step.readlink()
            if target.is_absolute():
                seen = []
            parts = [piece for piece in target.parts if piece not in ("/", ".")] + parts
        elif step.exists():
            seen.append(part)
        else:
            return None
    return "/" + "/".join(seen)
