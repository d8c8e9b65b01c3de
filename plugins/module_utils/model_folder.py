# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a folder holds a whole model, by what its files say of each other: headers are read, nothing is hashed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import checkpoint
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import SizingError

# Written last by whoever fills a folder: what has none is not served.
MARKER = ".gpunode-complete.json"
# Where huggingface_hub keeps what it has of unfinished files.
_UNFINISHED = ".cache/huggingface/download"


def problems(folder: Path) -> list[str]:
    """Why it cannot be served, one text each; empty where it can."""
    if not folder.is_dir():
        return [f"{folder} is no folder on this node."]
    return [text[:1].upper() + text[1:].rstrip(".") + "." for text in _problems(folder)]


def marker(folder: Path) -> dict[str, Any] | None:
    """What was noted when the folder was complete; None before that."""
    try:
        content = json.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def present_bytes(folder: Path) -> int:
    """What of the model is on the disk, unfinished files included."""
    return sum(file.stat().st_size for file in _files(folder) if not _is_own(file.relative_to(folder).as_posix()))


def _problems(folder: Path) -> Iterator[str]:
    try:
        checkpoint.config(folder)
    except SizingError as error:
        yield str(error)
    try:
        checkpoint.tensors(folder)
    except SizingError as error:
        yield str(error)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            if path.is_file():
                yield path
        except OSError:
            continue  # a download moves its files


def _is_own(path: str) -> bool:
    """Notes beside the model, which are no part of it."""
    if path == MARKER:
        return True
    return path.startswith(".cache/") and not (path.startswith(_UNFINISHED) and path.endswith(".incomplete"))
