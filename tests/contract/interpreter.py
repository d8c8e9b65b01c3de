# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running Python with the import path of a release."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.console import step

from . import cache, packages, sources, templates
from .releases import Release


def prepare(releases: list[Release]) -> None:
    """Fetch what the cache lacks; without a lack this takes no time.

    :raises BenchError: something could not be fetched.
    """
    packages.ensure(releases)
    if not all(sources.folder_of(release).exists() for release in releases):
        with step("Fetching vLLM's sources (4 to 13 MB each)"):
            sources.ensure(releases)
    templates.ensure(releases)
    for release in releases:
        for folder in (sources.folder_of(release), templates.folder_of(release), *packages.folders_of(release)):
            cache.touch(folder)
    cache.drop_unused()


def command(script: Path, arguments: Sequence[str]) -> list[str]:
    # -S: nothing of this interpreter's own packages, only what the release's path has.
    return [sys.executable, "-S", str(script), *arguments]


def environment(release: Release) -> dict[str, str]:
    path = os.pathsep.join(map(str, [sources.folder_of(release), *packages.folders_of(release)]))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "ERROR"),
    }
