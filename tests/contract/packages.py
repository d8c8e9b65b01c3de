# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM imports: one folder of packages for all releases and one for each era."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from tests.bench.console import step
from tests.bench.pip_index import run_pip

from . import cache
from .releases import HERE, Release

_COMMON = "common"


def folders_of(release: Release) -> list[Path]:
    return [_folder(name) for name in (release.packages, _COMMON)]


def ensure(releases: list[Release]) -> None:
    """Install the packages that the cache lacks.

    :raises BenchError: pip could not.
    """
    for name in sorted({_COMMON, *(release.packages for release in releases)}):
        folder = _folder(name)
        if folder.exists():
            continue
        with step(f"Installing the packages of {_lock(name).name}"), cache.making(folder) as part:
            run_pip(
                [
                    *("install", "--no-deps", "--no-compile", "--only-binary=:all:", "--progress-bar=off"),
                    *("--target", str(part), "--requirement", str(_lock(name))),
                ],
                "Check the network and pip's index.",
            )


def _lock(name: str) -> Path:
    return HERE / "packages" / f"{name}.lock"


def _folder(name: str) -> Path:
    interpreter = f"{sys.implementation.cache_tag} {platform.machine()}"
    return cache.named(f"packages-{name}", cache.digest([interpreter.encode(), _lock(name).read_bytes()]))
