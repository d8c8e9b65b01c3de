# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repository files that somebody else wrote and that break apt together with ours."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish

OURS = "toolserve-gpunode"
_CUDA_REPOSITORY = re.compile(r"/compute/cuda/repos/(?P<folder>[a-z]+\d+)/")


@dataclass(frozen=True)
class StaleFile:
    """A file to remove, and why."""

    path: str
    why: str


def stale_sources(facts: NodeFacts, wish: Wish) -> list[StaleFile]:
    """Second entries of the repository that we add, and those made for another distribution."""
    if wish.source != "nvidia":
        return []
    url = (wish.repository_url or facts.distribution.repository_url).rstrip("/")
    folder = facts.distribution.id + facts.distribution.release.replace(".", "")
    found: dict[str, str] = {}
    for repository in facts.repositories:
        if OURS in repository.path or not repository.path.startswith("/etc/apt/sources.list.d/"):
            continue
        other = _CUDA_REPOSITORY.search(repository.uri)
        if repository.uri.rstrip("/") == url:
            found[repository.path] = "names NVIDIA's repository a second time; apt refuses two different keys for one"
        elif other and other["folder"] != folder:
            found[repository.path] = f"NVIDIA's repository for {other['folder']}, and this is {folder}"
    return [StaleFile(path, why) for path, why in found.items()]
