# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

REPOS = "https://developer.download.nvidia.com/compute/cuda/repos"
OURS = f"{REPOS}/ubuntu2404/x86_64"
ML = f"{REPOS.replace('cuda', 'machine-learning')}/ubuntu2004/x86_64"
LIST = "/etc/apt/sources.list.d/cuda.list"
UBUNTU = """\
Types: deb
URIs: http://archive.ubuntu.com/ubuntu/
Suites: noble noble-updates
Components: main universe
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""


def _plan(tmp_path: Path, path: str, content: str, wish: Wish | None = None) -> Plan:
    return FakeNode(tmp_path / "node", sources={path: content}).plan(wish or Wish())


def _removed(tmp_path: Path, uri: str, wish: Wish | None = None) -> list[str]:
    plan = _plan(tmp_path, LIST, f"deb [signed-by=/usr/share/keyrings/cuda.gpg] {uri} /\n", wish)
    assert all(file.why for file in plan.remove_files)
    assert not [stop for stop in plan.stops if LIST in stop]
    return [file.path for file in plan.remove_files]


@pytest.mark.parametrize("uri", [OURS, f"{OURS}/", f"{REPOS}/ubuntu2204/x86_64/", f"{REPOS}/debian12/x86_64/"])
def test_in_the_way(tmp_path: Path, uri: str) -> None:
    assert _removed(tmp_path, uri) == [LIST]


@pytest.mark.parametrize(
    "uri",
    [
        "https://nvidia.github.io/libnvidia-container/stable/deb/amd64",
        "https://ppa.launchpadcontent.net/graphics-drivers/ppa/ubuntu",
        "http://archive.ubuntu.com/ubuntu",
    ],
)
def test_not_in_the_way(tmp_path: Path, uri: str) -> None:
    assert _removed(tmp_path, uri) == []


def test_our_own_file_is_no_rival(tmp_path: Path) -> None:
    path = "/etc/apt/sources.list.d/toolserve-gpunode-nvidia.sources"
    plan = _plan(tmp_path, path, f"Types: deb\nURIs: {OURS}\nSuites: /\n")
    assert not plan.remove_files and not plan.stops


def test_a_mirror(tmp_path: Path) -> None:
    wish = Wish(repository_url="http://mirror.example/cuda")
    assert _removed(tmp_path, "http://mirror.example/cuda/", wish) == [LIST]
    assert _removed(tmp_path, OURS, wish) == []


def test_a_mirror_whose_address_says_nothing_of_nvidia(tmp_path: Path) -> None:
    wish = Wish(repository_url="http://mirror.example/gpu")
    assert _removed(tmp_path, "http://mirror.example/gpu", wish) == [LIST]


@pytest.mark.parametrize("uri", [OURS, f"{REPOS}/debian12/x86_64/"])
def test_the_distributions_own_sources_never_go(tmp_path: Path, uri: str) -> None:
    path = "/etc/apt/sources.list.d/ubuntu.sources"
    plan = _plan(tmp_path, path, f"{UBUNTU}\nTypes: deb\nURIs: {uri}\nSuites: /\n")
    assert plan.remove_files == []
    (stop,) = plan.stops
    assert path in stop and f'line 8 ("{uri}")' in stop
    assert plan.state == "stopped"


def test_the_main_file_never_goes(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "/etc/apt/sources.list", f"deb {OURS} /\n")
    assert plan.remove_files == []
    assert 'comment it out, line 1 ("' in plan.stops[0]


def test_the_distributions_packages_leave_repositories_alone(tmp_path: Path) -> None:
    assert _removed(tmp_path, OURS, Wish(source="distribution")) == []


def test_beside_a_sound_driver_repositories_stay(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node", sources={LIST: f"deb {OURS} /\n"})
    node.install_stack("nvidia", "595")
    assert node.plan().empty
    assert [repository.uri for repository in node.facts().repositories] == [OURS]


RETIRED = [
    "https://nvidia.github.io/nvidia-docker/ubuntu18.04/$(ARCH)",
    "https://nvidia.github.io/nvidia-container-runtime/stable/ubuntu18.04/$(ARCH)",
    "https://nvidia.github.io/libnvidia-container/stable/ubuntu18.04/$(ARCH)",
    ML,
]


@pytest.mark.parametrize("source", ["nvidia", "distribution"])
@pytest.mark.parametrize("uri", RETIRED)
def test_what_nvidia_has_given_up(tmp_path: Path, uri: str, source: str) -> None:
    assert _removed(tmp_path, uri, Wish(source=source)) == [LIST]


def test_the_list_of_nvidia_docker2_as_its_guide_had_it(tmp_path: Path) -> None:
    content = "".join(f"deb [signed-by=/k.gpg] {uri} /\n" for uri in RETIRED[:3])
    assert [file.path for file in _plan(tmp_path, LIST, content).remove_files] == [LIST]


def test_it_goes_beside_a_sound_driver_too(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node", sources={LIST: f"deb {RETIRED[0]} /\n"})
    node.install_stack("nvidia", "595")
    plan = node.plan()
    assert plan.state == "healthy"
    assert [file.path for file in plan.remove_files] == [LIST]
    node.apply(plan)
    assert node.plan().empty


def test_beside_another_source_it_stays_and_stops_nothing(tmp_path: Path) -> None:
    plan = _plan(tmp_path, LIST, f"deb {ML} /\ndeb https://example.org/debian x main\n")
    assert not plan.remove_files and not plan.stops
