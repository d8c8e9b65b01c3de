# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of NVIDIA's repositories that somebody else wrote and that break apt, alone or together with ours."""

from __future__ import annotations

import re

from ansible_collections.toolserve.gpunode.plugins.module_utils import apt_rival_sources
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_rival_sources import Rivals, SupersededFile
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_facts import NodeFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish

OURS = "/etc/apt/sources.list.d/toolserve-gpunode-nvidia.sources"
_CUDA_REPOSITORY = re.compile(r"/compute/cuda/repos/(?P<folder>[a-z]+\d+)/")
# What libnvidia-container/stable/deb has replaced, and one whose key NVIDIA withdrew in 2022
# (https://developer.nvidia.com/blog/updating-the-cuda-linux-gpg-repository-key/).
_RETIRED = re.compile(
    r"//nvidia\.github\.io/(nvidia-docker|nvidia-container-runtime)/"
    r"|//nvidia\.github\.io/libnvidia-container/(stable|experimental)/(?!deb/)"
    r"|/compute/machine-learning/repos/"
)


def rival_sources(facts: NodeFacts, wish: Wish) -> Rivals:
    """Second sources of the repository that we add, and those made for another distribution."""
    if wish.source != "nvidia":
        return Rivals([], [])
    url = wish.repository_url or facts.distribution.repository_url
    second = apt_rival_sources.second_source([url])
    folder = facts.distribution.id + facts.distribution.release.replace(".", "")

    def why(uri: str) -> str:
        other = _CUDA_REPOSITORY.search(uri)
        if other and other["folder"] != folder and not second(uri):
            return f"NVIDIA's repository for {other['folder']}, and this is {folder}"
        return second(uri)

    return apt_rival_sources.find(facts.repositories, OURS, why)


def retired_sources(facts: NodeFacts) -> list[SupersededFile]:
    """Files of nothing but repositories that NVIDIA has given up; apt fails at them before it reads ours."""

    def why(uri: str) -> str:
        if _RETIRED.search(uri):
            return "NVIDIA has given this repository up; apt update fails where it is gone or its key has changed"
        return ""

    return apt_rival_sources.find(facts.repositories, OURS, why).superseded
