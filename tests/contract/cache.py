# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are named by the hash of what they are made from, complete or absent."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.images import CACHE

FOLDER = CACHE / "contract"


def digest(parts: Iterable[bytes]) -> str:
    """A SHA-256 in hex that tells apart where one part ends and the next begins."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()


def tree_digest(folder: Path) -> str:
    """Over the paths and the contents of all files, but for the bytecode that Python writes beside them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return digest(part for path in files for part in (path.relative_to(folder).as_posix().encode(), path.read_bytes()))


def named(kind: str, key: str) -> Path:
    return FOLDER / f"{kind}-{key[:12]}"


@contextmanager
def making(folder: Path, kind: str) -> Iterator[Path]:
    """A folder to fill: it takes its name when it is complete, and older ones of its kind go."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    for old in FOLDER.glob(f"{kind}-*"):
        if old not in (part, folder):
            shutil.rmtree(old)
    part.rename(folder)
