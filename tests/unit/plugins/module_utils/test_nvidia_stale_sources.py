# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

REPOS = "https://developer.download.nvidia.com/compute/cuda/repos"
OURS = f"{REPOS}/ubuntu2404/x86_64"


def _removed(tmp_path: Path, name: str, uri: str, wish: Wish | None = None) -> list[str]:
    path = f"/etc/apt/sources.list.d/{name}"
    node = FakeNode(tmp_path / "node", sources={path: f"deb [signed-by=/usr/share/keyrings/cuda.gpg] {uri} /\n"})
    plan = node.plan(wish or Wish())
    assert all(file.why for file in plan.remove_files)
    return [file.path for file in plan.remove_files]


@pytest.mark.parametrize("uri", [OURS, f"{OURS}/", f"{REPOS}/ubuntu2204/x86_64/", f"{REPOS}/debian12/x86_64/"])
def test_in_the_way(tmp_path: Path, uri: str) -> None:
    assert _removed(tmp_path, "cuda.list", uri) == ["/etc/apt/sources.list.d/cuda.list"]


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("toolserve-gpunode-nvidia.list", OURS),
        ("nvidia-container-toolkit.list", "https://nvidia.github.io/libnvidia-container/stable/deb/amd64"),
        ("graphics-drivers.list", "https://ppa.launchpadcontent.net/graphics-drivers/ppa/ubuntu"),
        ("ml.list", f"{REPOS.replace('cuda', 'machine-learning')}/ubuntu2404/x86_64"),
        ("ubuntu.list", "http://archive.ubuntu.com/ubuntu"),
    ],
)
def test_not_in_the_way(tmp_path: Path, name: str, uri: str) -> None:
    assert _removed(tmp_path, name, uri) == []


def test_a_mirror(tmp_path: Path) -> None:
    wish = Wish(repository_url="http://mirror.example/cuda")
    assert _removed(tmp_path, "cuda.list", "http://mirror.example/cuda/", wish) == ["/etc/apt/sources.list.d/cuda.list"]
    assert _removed(tmp_path, "cuda.list", OURS, wish) == []


def test_the_distributions_packages_leave_repositories_alone(tmp_path: Path) -> None:
    assert _removed(tmp_path, "cuda.list", OURS, Wish(source="distribution")) == []


def test_beside_a_sound_driver_repositories_stay(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node", sources={"/etc/apt/sources.list.d/cuda.list": f"deb {OURS} /\n"})
    node.install_stack("nvidia", "595")
    assert node.plan().empty
    assert [repository.uri for repository in node.facts().repositories] == [OURS]
