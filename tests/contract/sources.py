# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's Python sources, taken out of the wheels on the package index.

A wheel has 400 MB, its Python sources 4 to 13 MB of that. pip can read a wheel on the index piece by piece, as a lazy
zip file, with its own configuration, session and index. That part of pip is private: it is the pip that
tests/bench/make_venv.py pins.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from pip._internal.commands import create_command
from pip._internal.models.target_python import TargetPython
from pip._internal.network.lazy_wheel import LazyZipOverHTTP

from tests.bench.console import BenchError, say

from . import cache
from .releases import Release

_PLATFORMS = ["manylinux1_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 40))]
_GAP = 200_000  # bytes between two members that are rather downloaded than asked for apart
_LOCAL_HEADER = 30 + 200  # bytes before a member's data, besides its name: the fixed part and what may be extra


def folder_of(release: Release) -> Path:
    return cache.named(f"vllm-{release.name}", release.sources)


def ensure(releases: Iterable[Release]) -> None:
    """Fetch the sources that the cache lacks.

    :raises BenchError: the index lacks a wheel, or its sources are not those of releases.toml.
    """
    missing = [release for release in releases if not folder_of(release).exists()]
    if not missing:
        return
    command = create_command("index", isolated=False)
    options, _ = command.parse_args(["--quiet"])
    with command.main_context(), command._build_session(options) as session:
        target = TargetPython(platforms=_PLATFORMS, py_version_info=sys.version_info[:2])
        finder = command._build_package_finder(options, session, target, ignore_requires_python=True)
        links = {candidate.link.filename: candidate.link for candidate in finder.find_all_candidates("vllm")}
        for release in missing:
            if release.wheel not in links:
                raise BenchError(f"The package index that pip is configured for has no {release.wheel}.")
            with cache.making(folder_of(release)) as folder:
                with LazyZipOverHTTP(links[release.wheel].url, session) as wheel:
                    size = extract_sources(wheel, folder)
                found = cache.tree_digest(folder)
                if found != release.sources:
                    raise BenchError(f"The sources in {release.wheel} have the digest {found}, not {release.sources}.")
            say(f"    vLLM {release.name}: {size / 1e6:.0f} MB of sources")


def extract_sources(wheel: LazyZipOverHTTP, folder: Path) -> int:
    """Extract the Python sources and the package's metadata; returns the bytes that were asked for."""
    with zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.infolist() if is_wanted(member.filename)]
        pieces = spans(members)
        for start, end in pieces:  # each is one request; the members are then read from what is there
            wheel.seek(start)
            wheel.read(end - start)
        for member in members:
            archive.extract(member, folder)
    return sum(end - start for start, end in pieces)


def is_wanted(name: str) -> bool:
    return (name.startswith("vllm/") and name.endswith(".py")) or name.endswith(".dist-info/METADATA")


def spans(members: Iterable[zipfile.ZipInfo]) -> list[tuple[int, int]]:
    """The parts of the archive that hold these members: few, and none much longer than needed."""
    found: list[tuple[int, int]] = []
    for member in sorted(members, key=lambda member: member.header_offset):
        start = member.header_offset
        end = start + _LOCAL_HEADER + len(member.filename.encode()) + member.compress_size
        if found and start - found[-1][1] <= _GAP:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
