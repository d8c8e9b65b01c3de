# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are named by the hash of what they are made from, complete or absent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import CACHE

FOLDER = CACHE / "contract"
UNUSED_SECONDS = 30 * 24 * 3600


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
def making(folder: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name when it is complete.

    Two processes may make the same one: both are complete, one of them stays.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=FOLDER))
    try:
        yield part
        with contextlib.suppress(OSError):
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def touch(folder: Path) -> None:
    os.utime(folder)


def drop_unused() -> None:
    """Remove what no run has used for a while; other checkouts may use another state than this one."""
    for folder in FOLDER.iterdir():
        if time.time() - folder.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
