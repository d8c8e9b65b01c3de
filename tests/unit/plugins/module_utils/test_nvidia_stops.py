# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each reason to stop where it holds and where it must not, and that it says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_planner
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import STOPPED
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import (
    GH200,
    RTX_PRO_6000_BLACKWELL,
    SFF_ADA,
    V100,
    FakeNode,
)


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path / "node")


def _only(node: FakeNode, **wish: object) -> str:
    plan = node.plan(Wish(**wish))  # type: ignore[arg-type]
    assert plan.state == STOPPED
    (stop,) = plan.stops
    return stop


def _none(node: FakeNode, **wish: object) -> None:
    assert node.plan(Wish(**wish)).stops == []  # type: ignore[arg-type]


def test_a_plain_node(node: FakeNode) -> None:
    _none(node)


def test_secure_boot(node: FakeNode) -> None:
    node.secure_boot = True
    assert "nvidia_driver_source" in _only(node)
    node.secure_boot = False
    _none(node)


def test_secure_boot_with_an_enrolled_key(node: FakeNode) -> None:
    node.secure_boot, node.files = True, {"var/lib/shim-signed/mok/MOK.der": ""}
    assert "mokutil" in _only(node)
    node.mok_enrolled = True
    _none(node)
    plan = node.plan()
    node.apply(plan)
    assert node.loaded and node.plan().empty


def test_secure_boot_with_a_module_of_dkms_loaded(node: FakeNode) -> None:
    node.secure_boot, node.loaded = True, (node.install_stack("ubuntu", "550"), False)
    assert "mokutil" in _only(node, minimum_version="580.65.06")  # it may be one that Ubuntu has signed
    for line, stops in (
        ("nvidia/550.163.01, 6.8.0-45-generic, x86_64: built", True),
        ("nvidia/535.288.01, 6.8.0-45-generic, x86_64: installed", True),
        ("nvidia/550.163.01, 6.8.0-51-generic, x86_64: installed", True),
        ("nvidia/550.163.01, 6.8.0-45-generic, x86_64: installed", False),
    ):
        node.dkms = [line]
        assert bool(node.plan(Wish(minimum_version="580.65.06")).stops) is stops


def test_secure_boot_is_accepted_on_demand(node: FakeNode) -> None:
    node.secure_boot = True
    assert "nvidia_driver_accept_secure_boot" in _only(node)
    _none(node, accept_secure_boot=True)


def test_secure_boot_does_not_matter_for_signed_modules(node: FakeNode) -> None:
    node.secure_boot = True
    for name in ("linux-modules-nvidia-580-server-generic", "nvidia-driver-580-server"):
        node.offered[name] = [("580.142-0ubuntu0.24.04.1", "Ubuntu")]
    _none(node, source="distribution", branch="580")


def test_secure_boot_does_not_matter_for_a_driver_that_stays(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.secure_boot = True
    _none(node)


def test_a_runfile_without_consent(node: FakeNode) -> None:
    node.uninstaller, node.libcuda = True, ("570.133.07", None)
    assert "nvidia_driver_remove_runfile" in _only(node)
    _none(node, remove_runfile=True)


def test_a_runfile_without_its_uninstaller_is_nobodys_to_remove(node: FakeNode) -> None:
    node.libcuda = ("570.133.07", None)
    assert "--uninstall" in _only(node, remove_runfile=True)


def test_a_held_leftover_without_consent(node: FakeNode) -> None:
    node.install_stack("ubuntu", "535")
    node.holds = {"libnvidia-compute-535", "libc6"}
    plan = node.plan(Wish(minimum_version="580.65.06"))
    assert plan.hold_changes == ["libnvidia-compute-535"]
    assert "nvidia_driver_change_held" in _only(node, minimum_version="580.65.06")
    _none(node, minimum_version="580.65.06", change_held=True)


def test_held_packages_of_a_driver_that_stays_are_left_alone(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.holds = {"libnvidia-compute"}
    _none(node)
    assert node.plan().hold_changes == []


def test_held_headers(node: FakeNode) -> None:
    node.packages["linux-headers-generic"] = ("rc", "6.8.0-45.45")
    node.holds = {"linux-headers-generic"}
    assert "linux-headers-generic" in _only(node)


def test_a_gpu_that_the_branch_has_dropped(node: FakeNode) -> None:
    node.gpus = (V100,)
    assert "nvidia_driver_branch to 580" in _only(node)
    _none(node, branch="580")


def test_a_gpu_that_the_branch_does_not_know_yet(node: FakeNode) -> None:
    node.gpus = (RTX_PRO_6000_BLACKWELL,)
    assert "570 or later" in _only(node, branch="550")


@pytest.mark.parametrize("gpu", [RTX_PRO_6000_BLACKWELL, GH200])
def test_proprietary_modules_for_a_gpu_that_has_none(node: FakeNode, gpu: str) -> None:
    node.gpus = (SFF_ADA, gpu)
    assert "auto or open" in _only(node, flavour="proprietary")
    _none(node)
    assert node.plan().install == ["nvidia-open"]


def test_open_modules_for_a_gpu_that_has_none(node: FakeNode) -> None:
    node.gpus = (V100,)
    assert "auto or proprietary" in _only(node, flavour="open", branch="580")


def test_gpus_that_no_driver_drives_together(node: FakeNode) -> None:
    node.gpus = (V100, RTX_PRO_6000_BLACKWELL)
    assert "No driver drives both" in _only(node, branch="580")


def test_no_gpu(node: FakeNode) -> None:
    node.gpus = ()
    assert "gpunode_accelerator" in _only(node)


def test_a_newer_gpu_is_no_stop_but_told(node: FakeNode) -> None:
    node.gpus = ("0x3021",)
    _none(node)
    plan = node.plan()
    assert plan.install == ["nvidia-open"]
    assert "assumed" in plan.warnings[0]


@pytest.mark.parametrize(
    ("distribution", "release", "architecture"),
    [("ubuntu", "20.04", "amd64"), ("debian", "11", "amd64"), ("debian", "13", "riscv64"), ("fedora", "42", "amd64")],
)
def test_an_unsupported_system(node: FakeNode, distribution: str, release: str, architecture: str) -> None:
    node.distribution, node.release, node.architecture = distribution, release, architecture
    assert release in _only(node)


def test_a_branch_below_the_minimum(node: FakeNode) -> None:
    assert "nvidia_driver_branch" in _only(node, branch="570", minimum_version="580.65.06")
    _none(node, branch="580", minimum_version="580.65.06")


def test_debians_branch_below_the_minimum(tmp_path: Path) -> None:
    kernel = "6.12.107+deb13-amd64"
    node = FakeNode(tmp_path / "node", "debian", "13", running=kernel, kernels=[kernel])
    for name in ("nvidia-driver", "nvidia-kernel-dkms", "libcuda1", "nvidia-smi"):
        node.offered[name] = [("550.163.01-2", "Debian")]
    assert "nvidia_driver_source to nvidia" in _only(node, source="distribution", minimum_version="580.65.06")
    _none(node, source="distribution")


def test_packages_that_the_distribution_does_not_have(node: FakeNode) -> None:
    assert "restricted" in _only(node, source="distribution", branch="580")
    node.offered["linux-modules-nvidia-580-server-generic"] = [("6.8.0-45.45+1", "Ubuntu")]
    node.offered["nvidia-driver-580-server"] = [("595.58.03-0ubuntu0.24.04.1", "Ubuntu")]  # transitional
    assert "nvidia-driver-580-server" in _only(node, source="distribution", branch="580")
    node.apt_lists_age_seconds = 7200  # the role reads them again
    _none(node, source="distribution", branch="580")
    node.apt_lists = False
    _none(node, source="distribution", branch="580")


def test_boot_is_full(node: FakeNode) -> None:
    facts = node.facts()
    for free, stops in ((299 * 10**6, True), (300 * 10**6, False)):
        plan = nvidia_planner.make(replace(facts, boot_free_bytes=free), Wish())
        assert bool(plan.stops) is stops
    node.install_stack("nvidia", "595")
    assert not nvidia_planner.make(replace(node.facts(), boot_free_bytes=0), Wish()).stops


def test_all_reasons_come_at_once(node: FakeNode) -> None:
    node.gpus, node.secure_boot, node.uninstaller = (), True, True
    assert len(node.plan(Wish(branch="570", minimum_version="580.65.06")).stops) == 4
