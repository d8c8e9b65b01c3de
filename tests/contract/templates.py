# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's example chat templates, which its image has and its wheel has not: from the source distributions.

Two of those are enough. In the 17 listed releases that have one (all but 0.15.1), the nine templates that profiles use
are the same as in 0.9.2 or, from 0.22.1 on, as in 0.22.1.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pip._internal.commands import create_command
from pip._internal.models.target_python import TargetPython

from tests.bench.console import BenchError, step

from . import cache
from .releases import Release

# SHA-256 of vllm-X.tar.gz on the package index.
_DISTRIBUTIONS = {
    "0.9.2": "6b0d855ea8ba18d76364c9b82ea94bfcaa9c9e724055438b5733e4716ed104e1",
    "0.22.1": "cd34902729f3767e3dfbb391956b2986bc638a54be9893e78bda9cc55669f15c",
}


def folder_of(release: Release) -> Path:
    return cache.named(f"templates-{release.templates}", _DISTRIBUTIONS[release.templates])


def ensure(releases: Iterable[Release]) -> None:
    """Fetch what the cache lacks.

    :raises BenchError: the index lacks a source distribution, or has another one than is pinned here.
    """
    for release in {release.templates: release for release in releases}.values():
        if not folder_of(release).exists():
            with step(f"Fetching the chat templates of vLLM {release.templates} (9 and 36 MB)"):
                _fetch(release)


def _fetch(release: Release) -> None:
    name = f"vllm-{release.templates}.tar.gz"
    command = create_command("index", isolated=False)
    options, _ = command.parse_args(["--quiet"])
    with command.main_context(), command._build_session(options) as session:
        finder = command._build_package_finder(options, session, TargetPython(), ignore_requires_python=True)
        links = {candidate.link.filename: candidate.link for candidate in finder.find_all_candidates("vllm")}
        if name not in links:
            raise BenchError(f"The package index that pip is configured for has no {name}.")
        archive = session.get(links[name].url_without_fragment).content
    found = hashlib.sha256(archive).hexdigest()
    if found != _DISTRIBUTIONS[release.templates]:
        raise BenchError(f"{name} has the SHA-256 {found}, not {_DISTRIBUTIONS[release.templates]}.")
    with cache.making(folder_of(release)) as folder, tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            path = PurePosixPath(member.name)
            if path.parent.name == "examples" and path.match("tool_chat_template_*.jinja"):
                content = members.extractfile(member)
                assert content is not None
                (folder / path.name).write_bytes(content.read())
