# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""apt's own resolver on nodes with leftovers: by hand there is no way past them, the plan has one.

The relations of Canonical's packages are theirs; those of NVIDIA's from 590 on were not seen (relations/README.md).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_collateral
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import NVIDIA
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_pin import preferences
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import REPAIR, Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Distribution, Target, Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

from tests.bench.nvidia.relations import Package, vendor
from tests.unit.resolver.fixture_apt import FixtureApt

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get: neither Debian nor Ubuntu")

KERNEL = "6.8.0-45-generic"
UBUNTU = Distribution("ubuntu", "24.04", "amd64")
WISH = Wish(minimum_version="580.65.06")
CANONICAL = vendor("canonical", KERNEL).packages
UBUNTU_550 = [package for package in CANONICAL if "550" in package.version or package.name in ("dkms", "libc6")]
UBUNTU_535 = [package for package in CANONICAL if "535" in package.version]
TOOLKIT = vendor("toolkit", KERNEL).packages


class Node:
    """A folder with apt's view and the planner's view of the same node."""

    def __init__(self, folder: Path) -> None:
        self.apt = FixtureApt(folder / "apt")
        self.apt.add_repository("ubuntu", "Ubuntu", [package for package in CANONICAL if package.name == "dkms"])
        self.apt.add_repository("cuda", "NVIDIA", vendor("nvidia-ubuntu", KERNEL).packages)
        self.planner = FakeNode(folder / "node")

    def plan(self, wish: Wish = WISH) -> Plan:
        node = self.planner
        node.packages = {
            name: (self.apt.states.get(name, "ii"), package.version) for name, package in self.apt.installed.items()
        }
        node.packages[f"linux-headers-{KERNEL}"] = node.packages["linux-headers-generic"] = ("ii", "6.8.0-45.45")
        library = next((name for name in node.packages if name.startswith("libnvidia-compute")), None)
        node.libcuda = (node.packages[library][1].split("-")[0], library) if library else None
        node.answers["apt-cache"] = self.apt.ask
        return node.plan(wish)

    def carry_out(self, plan: Plan, *options: str) -> tuple[dict[str, str], set[str]]:
        """What the role does: purge, pin, install; returns what the install would do."""
        assert not plan.stops
        assert plan.pin is not None
        for entry in plan.purge:
            del self.apt.installed[entry.name]
        for name in plan.dpkg_finish:
            self.apt.states.pop(name, None)
        self.apt.write_preferences(plan.pin["content"])
        return self.apt.simulate(*options, "install", *plan.install)

    def leftovers(self) -> set[str]:
        """What is installed of Ubuntu's driver."""
        return {name for name in self.apt.installed if "535" in name or "550" in name}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def _fails(node: Node, *arguments: str) -> str:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        node.apt.simulate("install", *arguments)
    return f"{failure.value.stdout}{failure.value.stderr}"


def _is_no_way_by_hand(node: Node) -> None:
    """The resolver up to apt 2 gives up; that of apt 3 finds a way, and leaves parts of the old driver."""
    version = subprocess.run(["apt-get", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if int(version.split(".")[0]) < 3:
        assert "libnvidia-compute" in _fails(node, "cuda-drivers")
    else:
        _installed, removed = node.apt.simulate("install", "cuda-drivers")
        assert node.leftovers() - removed


def _of_branch(installed: dict[str, str], branch: str) -> bool:
    driver = {name: version for name, version in installed.items() if name not in ("dkms", "libc6")}
    return bool(driver) and all(version.startswith(f"{branch}.") for version in driver.values())


def test_without_a_pin_the_newest_branch_comes(node: Node) -> None:
    installed, _removed = node.apt.simulate("install", "cuda-drivers")
    assert _of_branch(installed, "610")


@pytest.mark.parametrize("branch", ["580", "595", "610"])
@pytest.mark.parametrize("flavour", ["proprietary", "open"])
@pytest.mark.parametrize("headless", [False, True])
def test_a_virgin_node_gets_the_branch_that_was_asked_for(
    node: Node, branch: str, flavour: str, headless: bool
) -> None:
    plan = node.plan(Wish(branch=branch, flavour=flavour, headless=headless))
    installed, removed = node.carry_out(plan)
    assert _of_branch(installed, branch)
    assert not removed
    assert ("nvidia-dkms-open" in installed, "nvidia-dkms" in installed) == (flavour == "open", flavour != "open")
    assert {"libnvidia-compute", "nvidia-utils"} <= installed.keys()
    assert ("libnvidia-gl" in installed) is not headless


def test_by_hand_there_is_no_way_past_a_leftover_driver_and_the_plan_has_one(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    node.apt.install(TOOLKIT, "nvidia-container-toolkit")
    plan = node.plan()
    assert plan.state == REPAIR
    assert plan.pin is not None
    node.apt.write_preferences(plan.pin["content"])
    _is_no_way_by_hand(node)
    installed, removed = node.carry_out(plan)
    assert _of_branch(installed, "595") and not removed
    assert node.leftovers() == set()
    assert "nvidia-container-toolkit" in node.apt.installed


@pytest.mark.parametrize("purged", ["nvidia-driver-550", "nvidia-headless-550"])
def test_purging_the_metapackage_leaves_the_driver_and_the_plan_does_not(node: Node, purged: str) -> None:
    """The blog's 'apt purge nvidia-driver-535 nvidia-driver-550'; what apt then makes of it is up to its resolver."""
    node.apt.install(UBUNTU_550, purged)
    _installed, removed = node.apt.simulate("purge", purged)
    assert removed == {purged}
    del node.apt.installed[purged]
    try:
        _installed, removed = node.apt.simulate("install", "cuda-drivers")
    except subprocess.CalledProcessError:
        removed = set()
    assert node.leftovers() - removed
    installed, removed = node.carry_out(node.plan())
    assert _of_branch(installed, "595") and not removed
    assert node.leftovers() == set()


def test_remains_of_two_branches(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    node.apt.install(UBUNTU_535, "nvidia-firmware-535-535.288.01", "nvidia-driver-535")
    plan = node.plan()
    assert "branch 535 packaged by Ubuntu and branch 550 packaged by Ubuntu" in plan.conflicts[0].what
    installed, removed = node.carry_out(plan)
    assert _of_branch(installed, "595") and not removed
    assert node.leftovers() == set()


@pytest.mark.parametrize("name", ["linux-modules-nvidia-535-6.8.0-60-generic", "nvidia-kernel-common-535"])
def test_a_single_remnant_is_enough_to_be_cleared(node: Node, name: str) -> None:
    node.apt.install(CANONICAL, name)
    installed, removed = node.carry_out(node.plan())
    assert _of_branch(installed, "595") and not removed


def test_half_configured_leftovers(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    node.apt.states = {"nvidia-dkms-550": "iF", "nvidia-driver-550": "iU"}
    _is_no_way_by_hand(node)
    installed, removed = node.carry_out(node.plan())
    assert _of_branch(installed, "595") and not removed


def _attempt_by_hand(node: Node) -> None:
    """What "apt-get install cuda-drivers" leaves beside 550: unpacked, but for what overwrites a file of Ubuntu's."""
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    newest = [package for package in vendor("nvidia-ubuntu", KERNEL).packages if package.version.startswith("610.")]
    before = set(node.apt.installed)
    node.apt.install(newest, "cuda-drivers")
    del node.apt.installed["libnvidia-compute"]
    node.apt.states = {name: "iU" for name in set(node.apt.installed) - before}
    node.planner.answers["apt-get"] = node.apt.ask


def test_an_attempt_by_hand_that_stopped_half_way(node: Node) -> None:
    _attempt_by_hand(node)
    assert "nmet dependencies" in _fails(node, "cuda-drivers=595.*")
    plan = node.plan()
    assert (plan.stops, plan.purge_forced) == ([], False)
    assert {name for name, state in node.apt.states.items() if state == "iU"} <= {entry.name for entry in plan.purge}
    installed, removed = node.carry_out(plan)
    assert _of_branch(installed, "595") and not removed
    assert node.leftovers() == set()


@pytest.mark.parametrize("needs", ["libnvidia-compute-550", "nowhere-to-be-had"])
def test_beside_it_nothing_goes_that_is_not_of_the_driver(node: Node, needs: str) -> None:
    """Where apt cannot even simulate the purge, dpkg would do it; the rehearsal tells that apt is stuck then too."""
    _attempt_by_hand(node)
    fields = {"Package": "shop", "Version": "1-1", "Architecture": "amd64", "Depends": needs}
    node.apt.installed["shop"], node.apt.states["shop"] = Package(fields, (), "1"), "iU"
    plan = node.plan()
    assert "shop" not in {entry.name for entry in plan.purge}
    if not plan.stops:
        assert plan.purge_forced
        with pytest.raises(subprocess.CalledProcessError) as refused:
            node.carry_out(plan, "--fix-broken")
        assert "shop" in f"{refused.value.stdout}{refused.value.stderr}"


def test_held_leftovers_need_consent(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    node.apt.states = {"libnvidia-compute-550": "hi"}
    assert "held" in _fails(node, "cuda-drivers")
    assert "libnvidia-compute-550" in node.plan().stops[0]
    installed, removed = node.carry_out(node.plan(Wish(minimum_version="580.65.06", change_held=True)))
    assert _of_branch(installed, "595") and not removed


def test_the_candidates_are_those_that_the_plan_expects(node: Node) -> None:
    plan = node.plan()
    assert plan.pin is not None
    before = node.planner.facts().policy["cuda-drivers"].candidate
    node.apt.write_preferences(plan.pin["content"])
    after = node.planner.facts().policy["cuda-drivers"].candidate
    assert (before, after) == ("610.57.04-1ubuntu1", "595.91.07-1ubuntu1")
    assert plan.candidates == {"cuda-drivers": "595.*"}


def test_ubuntus_driver_is_not_offered_beside_nvidias(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.apt.add_repository("restricted", "Ubuntu", CANONICAL)
    plan = node.plan()
    assert plan.pin is not None
    assert node.apt.simulate("install", "nvidia-driver-550")[0]
    node.apt.write_preferences(plan.pin["content"])
    _fails(node, "nvidia-driver-550")


def test_not_even_in_the_same_branch(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.apt.add_repository("restricted", "Ubuntu", CANONICAL)
    node.apt.write_preferences(preferences(Target(NVIDIA, "550", False, False, True), UBUNTU))
    _fails(node, "nvidia-driver-550")


def test_a_package_of_others_that_depends_on_a_leftover_is_a_reason_to_stop(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    fields = {"Package": "nvtop", "Version": "3.0.2-1", "Architecture": "amd64", "Depends": "libnvidia-compute-550"}
    node.apt.installed["nvtop"] = Package(fields, (), "3.0.2")
    plan = node.plan()
    assert not plan.stops
    nvidia_collateral.add(plan, node.planner.facts(), node.apt.ask)
    assert "nvtop" in plan.stops[0]


def _names(packages: list[Package]) -> set[str]:
    return {package.name for package in packages}


def test_the_container_toolkit_is_installable_beside_the_pin(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.apt.add_repository("toolkit", "https://nvidia.github.io/libnvidia-container", TOOLKIT)
    plan = node.plan()
    assert plan.pin is not None
    node.apt.write_preferences(plan.pin["content"])
    installed, _removed = node.apt.simulate("install", "nvidia-container-toolkit")
    assert installed.keys() <= _names(list(TOOLKIT))


def _cuda(node: Node, needs: str) -> None:
    """The metapackage of ``apt install cuda``."""
    fields = {"Package": "cuda", "Version": "13.0.2-1", "Architecture": "amd64", "Depends": needs}
    node.apt.installed["cuda"] = Package(fields, (), "13.0.2")


def test_nvidias_own_packages_are_exchanged_and_what_depends_on_them_stays(node: Node) -> None:
    """The whole of 580 comes to 595 in place, also the parts that the new metapackage does not ask for."""
    offered = vendor("nvidia-ubuntu", KERNEL).packages
    of_580 = [package for package in offered if package.version.startswith("580.") or package.name == "dkms"]
    node.apt.install(of_580, "cuda-drivers", "libnvidia-encode")
    _cuda(node, "cuda-drivers (>= 580.65.06)")
    plan = node.plan(Wish(replace_healthy=True))
    assert (plan.state, plan.purge, plan.stops) == (REPAIR, [], [])
    before = {name for name, package in node.apt.installed.items() if package.version.startswith("580.")}
    installed, removed = node.carry_out(plan)
    assert not removed
    assert before <= installed.keys() and _of_branch(installed, "595")


def test_those_of_ubuntu_are_not_and_that_is_told(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    _cuda(node, "libnvidia-compute-550")
    node.planner.answers["apt-get"] = node.apt.ask
    assert any("cuda" in stop and "apt-get remove" in stop for stop in node.plan().stops)


def test_apt_simulates_the_purge_of_every_state_that_a_leftover_may_have(node: Node) -> None:
    node.apt.install(UBUNTU_550, "nvidia-driver-550")
    node.apt.states = {"nvidia-driver-550": "rc", "libnvidia-compute-550": "hi"}
    node.planner.answers["apt-get"] = node.apt.ask
    plan = node.plan(Wish(minimum_version="580.65.06", change_held=True))
    assert {"nvidia-driver-550", "libnvidia-compute-550"} <= {entry.name for entry in plan.purge}
    assert (plan.stops, plan.warnings) == ([], [])
