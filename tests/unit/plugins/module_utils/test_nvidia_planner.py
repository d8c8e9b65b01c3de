# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept, what is replaced, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import (
    HEALTHY,
    INSTALL,
    REPAIR,
    STOPPED,
    Plan,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan_text import lines
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import (
    NVIDIA_STACK,
    RTX_PRO_6000_BLACKWELL,
    V100,
    FakeNode,
)

CUDA_13 = Wish(minimum_version="580.65.06")
TOOLKIT = {
    "nvidia-container-toolkit": ("ii", "1.20.0-1"),
    "libnvidia-container1": ("ii", "1.20.0-1"),
    "nvidia-docker2": ("ii", "2.14.0-1"),
    "nvidia-cuda-toolkit": ("ii", "12.4.131~12.4.1-2"),
}


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path / "node")


def _purged(plan: Plan) -> set[str]:
    assert all(entry.why for entry in plan.purge)
    return {entry.name for entry in plan.purge}


def test_a_virgin_node(node: FakeNode) -> None:
    plan = node.plan()
    assert (plan.state, plan.conflicts, plan.purge) == (INSTALL, [], [])
    assert plan.install == ["cuda-drivers"]
    assert plan.candidates == {"cuda-drivers": "595.*"}
    assert plan.pin is not None
    node.apply(plan)
    assert node.plan().empty


@pytest.mark.parametrize("driver", ["nvidia 595", "nvidia 580", "nvidia 610", "ubuntu 580"])
def test_a_sound_driver_stays_whatever_its_branch(node: FakeNode, driver: str) -> None:
    node.install_stack(*driver.split())
    node.packages |= TOOLKIT
    plan = node.plan(CUDA_13)
    assert (plan.state, plan.empty, plan.pin) == (HEALTHY, True, None)
    said = " ".join(plan.warnings)
    assert ("nvidia_driver_replace_healthy" in said) == (driver != "nvidia 595")


def test_a_sound_driver_is_replaced_on_demand(node: FakeNode) -> None:
    node.install_stack("nvidia", "580")
    plan = node.plan(Wish(replace_healthy=True))
    assert plan.state == REPAIR
    assert "replace_healthy" in plan.conflicts[0].why
    node.apply(plan)
    assert node.plan(Wish(replace_healthy=True)).empty


@pytest.mark.parametrize(("vendor", "branch"), [("ubuntu", "550"), ("nvidia", "550")])
def test_a_driver_below_the_minimum_is_replaced(node: FakeNode, vendor: str, branch: str) -> None:
    node.install_stack(vendor, branch)
    assert node.plan().state == HEALTHY
    plan = node.plan(CUDA_13)
    assert plan.state == REPAIR
    assert "580.65.06" in plan.conflicts[0].why
    node.apply(plan)
    assert node.plan(CUDA_13).empty


def test_debians_own_driver_below_the_minimum_is_replaced(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node", "debian", "12", running="6.1.0-40-amd64", kernels=["6.1.0-40-amd64"])
    node.install_stack("debian", "535")
    assert node.plan().state == HEALTHY
    plan = node.plan(CUDA_13)
    assert plan.state == REPAIR
    assert {"libcuda1", "nvidia-alternative", "nvidia-driver"} <= _purged(plan)
    node.apply(plan)
    assert node.plan(CUDA_13).empty


def test_the_seed_of_it_all(node: FakeNode) -> None:
    """535 and 550 of Ubuntu side by side; neither the toolkit nor CUDA's libraries are touched."""
    node.install_stack("ubuntu", "535")
    node.install_stack("ubuntu", "550")
    node.packages |= TOOLKIT
    plan = node.plan()
    assert plan.state == REPAIR
    assert "branch 535 packaged by Ubuntu and branch 550 packaged by Ubuntu" in plan.conflicts[0].what
    assert {"nvidia-driver-535", "libnvidia-compute-550", "nvidia-firmware-550-550.163.01"} <= _purged(plan)
    assert not _purged(plan) & TOOLKIT.keys()
    node.apply(plan)
    assert node.plan().empty


def test_what_an_upgrade_of_the_branch_leaves_behind_is_no_mix(node: FakeNode) -> None:
    node.install_stack("ubuntu", "580")
    node.packages["nvidia-firmware-570-570.133.07"] = ("ii", "570.133.07-0ubuntu0.24.04.1")
    node.packages["linux-modules-nvidia-570-6.8.0-31-generic"] = ("ii", "6.8.0-31.31")
    assert node.plan(CUDA_13).empty


def test_only_the_metapackage_was_purged(node: FakeNode) -> None:
    """What the blog's 'apt purge nvidia-driver-535 nvidia-driver-550' leaves; with 580 it is a driver that works."""
    for branch in ("535", "550"):
        node.install_stack("ubuntu", branch)
        node.packages[f"nvidia-driver-{branch}"] = ("rc", node.packages.pop(f"nvidia-driver-{branch}")[1])
    plan = node.plan()
    assert {"nvidia-driver-535", "nvidia-driver-550", "libnvidia-compute-535"} <= _purged(plan)
    assert any("configuration is left" in entry.why for entry in plan.purge if entry.name == "nvidia-driver-550")


def test_left_configuration_alone_is_no_conflict_but_goes(node: FakeNode) -> None:
    node.packages["nvidia-kernel-common-550"] = ("rc", "550.163.01-0ubuntu0.24.04.1")
    plan = node.plan()
    assert (plan.state, _purged(plan)) == (INSTALL, {"nvidia-kernel-common-550"})


def test_beside_a_sound_driver_left_configuration_stays(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.packages["nvidia-kernel-common-550"] = ("rc", "550.163.01-0ubuntu0.24.04.1")
    assert node.plan().empty


@pytest.mark.parametrize("state", ["iU", "iF", "iH", "iW"])
def test_half_installed_leftovers_go(node: FakeNode, state: str) -> None:
    node.install_stack("ubuntu", "580")
    node.packages["nvidia-dkms-580"] = (state, "580.142-0ubuntu0.24.04.1")
    plan = node.plan()
    assert plan.state == REPAIR
    assert f"nvidia-dkms-580 ({state})" in plan.conflicts[0].what
    assert plan.dpkg_finish  # it may be all that is needed
    node.apply(plan)
    assert node.plan().empty


def test_what_has_to_go_anyway_needs_no_finishing(node: FakeNode) -> None:
    node.install_stack("ubuntu", "550")
    node.packages["nvidia-dkms-550"] = ("iF", "550.163.01-0ubuntu0.24.04.1")
    assert not node.plan(CUDA_13).dpkg_finish


def _half_of_610(node: FakeNode) -> None:
    """Ubuntu's 535 and what "apt-get install cuda-drivers" has left beside it."""
    node.install_stack("ubuntu", "535")
    for name in ("cuda-drivers", "nvidia-driver", "nvidia-modprobe", "nvidia-persistenced"):
        node.packages[name] = ("iU", "610.57.04-1ubuntu1")
    node.packages["dkms"] = ("iU", "3.4.1-1")


def test_an_attempt_by_hand_that_stopped_half_way_goes_with_its_helpers(node: FakeNode) -> None:
    _half_of_610(node)
    node.packages["nvidia-settings"] = ("ii", "510.47.03-0ubuntu4")
    plan = node.plan(CUDA_13)
    assert {"cuda-drivers", "nvidia-modprobe", "nvidia-persistenced", "libnvidia-compute-535"} <= _purged(plan)
    assert "nvidia-settings" not in _purged(plan)
    assert plan.dpkg_finish == ["dkms"]
    assert "Let dpkg finish: dkms" in lines(plan)
    node.apply(plan)
    assert node.plan(CUDA_13).empty


@pytest.mark.parametrize("version", ["595.91.07-1ubuntu1", "1.1.13-1"])
def test_broken_helpers_of_the_branch_or_of_none_are_finished(node: FakeNode, version: str) -> None:
    node.packages["nvidia-persistenced"] = ("iU", version)
    plan = node.plan()
    assert (plan.purge, plan.dpkg_finish) == ([], ["nvidia-persistenced"])


def test_the_same_branch_of_another_vendor_goes(node: FakeNode) -> None:
    node.install_stack("ubuntu", "595")
    node.packages["nvidia-dkms-595"] = ("iF", "595.58.03-0ubuntu0.24.04.1")
    plan = node.plan()
    assert {"libnvidia-compute-595", "nvidia-driver-595", "nvidia-dkms-595"} <= _purged(plan)
    node.apply(plan)
    assert node.plan().empty


def test_an_interrupted_install_of_the_wanted_driver_goes_on(node: FakeNode) -> None:
    node.install_stack("nvidia", "595", state="iU")
    node.libcuda, node.modules = None, {}
    plan = node.plan()
    assert (plan.state, plan.purge, plan.install) == (REPAIR, [], ["cuda-drivers"])
    assert set(plan.dpkg_finish) == set(NVIDIA_STACK)
    node.apply(plan)
    assert node.plan().empty


def test_what_dpkg_can_only_remove_is_purged(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.packages["nvidia-dkms"] = ("iHR", "595.91.07-1ubuntu1")
    plan = node.plan()
    assert _purged(plan) == {"nvidia-dkms"}
    node.apply(plan)
    assert node.plan().empty


def test_unfinished_packages_of_others_are_finished_with_an_install(node: FakeNode) -> None:
    node.packages["postfix"] = ("iF", "3.8.6-1build2")
    assert node.plan().dpkg_finish
    node.install_stack("nvidia", "595")
    assert node.plan().empty  # the driver is sound; postfix is not our business


def test_no_libcuda(node: FakeNode) -> None:
    node.install_stack("ubuntu", "580")
    node.libcuda = None
    plan = node.plan()
    assert plan.state == REPAIR
    assert "libcuda.so.1" in plan.conflicts[0].what
    node.apply(plan)
    assert node.plan().empty


def test_a_libcuda_that_was_deleted_comes_back_with_its_package(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.libcuda = None
    plan = node.plan()
    assert _purged(plan) == {"libnvidia-compute"}
    node.apply(plan)
    assert node.plan().empty


def test_library_and_module_of_different_versions(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.modules = {kernel: ("595.45.04", "NVIDIA") for kernel in node.kernels}
    plan = node.plan()
    assert plan.state == REPAIR
    assert "803" in plan.conflicts[0].why


def test_libraries_without_any_kernel_module(node: FakeNode) -> None:
    node.install_stack("ubuntu", "580")
    for name in ("nvidia-dkms-580", "nvidia-kernel-source-580", "nvidia-driver-580"):
        del node.packages[name]
    node.modules = {}
    plan = node.plan()
    assert (plan.state, plan.conflicts[0].what) == (REPAIR, "driver packages without a kernel module")


def test_the_next_kernel_lacks_its_module(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.kernels.append("6.8.0-51-generic")
    node.offered["linux-headers-6.8.0-51-generic"] = [("6.8.0-51.52", "Ubuntu")]
    plan = node.plan()
    assert (plan.state, plan.purge, plan.install) == (REPAIR, [], [])
    assert plan.headers == ["linux-headers-6.8.0-51-generic"]
    assert plan.dkms_autoinstall == ["6.8.0-51-generic"]


def test_headers_that_apt_does_not_have_do_not_stop_a_driver_that_works(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.kernels.append("6.8.0-51-generic")
    node.offered = {}
    plan = node.plan()
    assert (plan.state, plan.changes) == (HEALTHY, False)
    assert "6.8.0-51-generic" in plan.warnings[0]


def test_a_package_without_dkms_in_its_name_builds_nothing(node: FakeNode) -> None:
    node.install_stack("ubuntu", "580")
    for name in ("nvidia-dkms-580", "nvidia-driver-580"):
        del node.packages[name]
    node.packages["nvidia-headless-no-dkms-580"] = ("ii", "580.142-0ubuntu0.24.04.1")
    node.modules = {}
    assert node.plan().conflicts[0].what == "driver packages without a kernel module"


def test_packages_of_nobody_known_in_another_branch_are_a_mix_too(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.packages["libnvidia-extra"] = ("ii", "595.91.07")
    assert node.plan().empty
    node.packages["libnvidia-extra"] = ("ii", "610.57.04")
    assert "an unknown packager" in node.plan().conflicts[0].what


def test_signed_modules_that_lack_the_next_kernel_are_a_warning(node: FakeNode) -> None:
    node.install_stack("ubuntu", "580")
    for name in ("nvidia-dkms-580", "nvidia-kernel-source-580", "nvidia-driver-580"):
        del node.packages[name]
    node.packages["linux-modules-nvidia-580-6.8.0-45-generic"] = ("ii", "6.8.0-45.45")
    node.kernels.append("6.8.0-51-generic")
    plan = node.plan()
    assert (plan.state, plan.changes) == (HEALTHY, False)
    assert any("linux-modules-nvidia" in warning for warning in plan.warnings)


def test_proprietary_modules_on_a_gpu_that_needs_open_ones(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    assert node.plan().empty
    node.gpus = (RTX_PRO_6000_BLACKWELL,)
    plan = node.plan()
    assert (plan.state, plan.install) == (REPAIR, ["nvidia-open"])
    assert _purged(plan) == {"cuda-drivers", "nvidia-dkms"}
    node.apply(plan)
    assert node.plan().empty


def test_left_to_us_open_modules_that_are_there_stay(node: FakeNode) -> None:
    node.install_stack("nvidia", "595", open=True)
    for wish in (Wish(), Wish(replace_healthy=True), Wish(flavour="open", replace_healthy=True)):
        plan = node.plan(wish)
        assert (plan.empty, plan.warnings) == (True, [])
    plan = node.plan(Wish(flavour="proprietary", replace_healthy=True))
    assert plan.conflicts[0].what == "branch 595 packaged by NVIDIA (open kernel modules)"
    assert _purged(plan) == {"nvidia-open", "nvidia-dkms-open"}
    node.apply(plan)
    assert node.plan(Wish(flavour="proprietary", replace_healthy=True)).empty


def test_an_interrupted_install_of_open_modules_stays_open(node: FakeNode) -> None:
    node.install_stack("nvidia", "595", state="iU", open=True)
    plan = node.plan()
    assert (plan.install, plan.purge) == (["nvidia-open"], [])


def test_open_modules_of_another_branch_decide_nothing(node: FakeNode) -> None:
    node.install_stack("ubuntu", "550", open=True)
    assert node.plan(CUDA_13).install == ["cuda-drivers"]


def test_a_branch_that_has_dropped_the_gpu(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.gpus = (V100,)
    plan = node.plan(Wish(branch="580"))
    assert plan.state == REPAIR
    assert "580 is the last" in plan.conflicts[0].why
    node.apply(plan)
    assert node.plan(Wish(branch="580")).empty


def test_pinning_packages_of_another_branch_go_with_an_install(node: FakeNode) -> None:
    node.packages["nvidia-driver-pinning-610"] = ("ii", "610-1ubuntu1")
    node.packages["nvidia-driver-pinning-595"] = ("ii", "595-1ubuntu1")
    assert _purged(node.plan()) == {"nvidia-driver-pinning-610"}
    node.install_stack("nvidia", "610")
    assert not node.plan().purge


def test_packages_of_another_architecture_are_named_with_it(node: FakeNode) -> None:
    node.install_stack("ubuntu", "550")
    node.packages["libnvidia-gl-550:i386"] = ("ii", "550.163.01-0ubuntu0.24.04.1")
    assert {"libnvidia-gl-550", "libnvidia-gl-550:i386"} <= _purged(node.plan(CUDA_13))


def _with_cuda(node: FakeNode, branch: str) -> None:
    """As ``apt install cuda`` leaves it: the metapackage wants the driver."""
    node.install_stack("nvidia", branch)
    node.packages |= {"cuda": ("ii", "13.0.2-1"), "cuda-runtime-13-0": ("ii", "13.0.2-1")}
    node.dependents = {"cuda-runtime-13-0": "cuda-drivers", "cuda": "cuda-runtime-13-0"}


def test_packages_of_the_same_name_are_exchanged_and_not_purged(node: FakeNode) -> None:
    _with_cuda(node, "580")
    node.packages["libnvidia-old"] = ("ii", "580.178.04-1ubuntu1")
    for name in NVIDIA_STACK:
        node.offered[name] = [("595.91.07-1ubuntu1", "NVIDIA"), ("580.178.04-1ubuntu1", "NVIDIA")]
    wish = Wish(replace_healthy=True)
    plan = node.plan(wish)
    assert (plan.state, _purged(plan)) == (REPAIR, {"libnvidia-old"})
    assert {"cuda-drivers", "nvidia-dkms", "libnvidia-compute"} <= set(plan.install)
    assert set(plan.candidates) == set(plan.install)
    node.apply(plan)
    assert node.plan(wish).empty
    assert node.packages["cuda"][0] == "ii"


@pytest.mark.parametrize("way", ["not offered", "another flavour", "unfinished"])
def test_others_are_not(node: FakeNode, way: str) -> None:
    _with_cuda(node, "580")
    wish = Wish(replace_healthy=True, flavour="open" if way == "another flavour" else "auto")
    if way != "not offered":
        node.offered["cuda-drivers"] = [("595.91.07-1ubuntu1", "NVIDIA")]
    if way == "unfinished":
        node.packages["cuda-drivers"] = ("iU", "580.178.04-1ubuntu1")
    plan = node.plan(wish)
    assert "cuda-drivers" in _purged(plan)
    assert "cuda-runtime-13-0" in plan.stops[0]


def test_nor_are_those_of_another_vendor(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node", "debian", "12", running="6.1.0-40-amd64", kernels=["6.1.0-40-amd64"])
    node.install_stack("debian", "535")
    node.offered["libcuda1"] = [("595.91.07-1", "NVIDIA")]
    assert "libcuda1" in _purged(node.plan(CUDA_13))


@pytest.mark.parametrize("version", ["535.288.01-0ubuntu0.24.04.1", "595.91.07-1ubuntu1"])
def test_nor_what_only_nvidia_has_where_the_distributions_driver_is_wanted(node: FakeNode, version: str) -> None:
    node.packages["nvidia-driver"] = ("ii", version)
    node.offered["nvidia-driver"] = [("580.178.04-1ubuntu1", "NVIDIA")]
    plan = node.plan(Wish(source="distribution", branch="580", replace_healthy=True))
    assert "nvidia-driver" not in plan.install and "nvidia-driver" in _purged(plan)


def test_companions_of_nvswitch_come_back_in_the_new_branch(node: FakeNode) -> None:
    node.install_stack("nvidia", "550")
    node.packages["nvidia-fabricmanager-550"] = ("ii", "550.163.01-1")
    plan = node.plan(CUDA_13)
    assert "nvidia-fabricmanager-550" in _purged(plan)
    assert plan.install == ["cuda-drivers", "nvidia-fabricmanager"]


def test_companions_of_the_branch_are_no_mix_whoever_has_packaged_them(node: FakeNode) -> None:
    node.install_stack("ubuntu", "550")
    node.packages["nvidia-fabricmanager-550"] = ("ii", "550.163.01-1")
    assert node.plan().empty


def test_of_ubuntus_two_kinds_the_one_for_servers(node: FakeNode) -> None:
    wish = Wish(source="distribution", branch="580", replace_healthy=True)
    for name in ("linux-modules-nvidia-580-server-generic", "nvidia-driver-580-server"):
        node.offered[name] = [("580.142-0ubuntu0.24.04.1", "Ubuntu")]
    node.install_stack("ubuntu", "580")
    plan = node.plan(wish)
    assert {"libnvidia-compute-580", "nvidia-firmware-580-580.142"} <= _purged(plan)
    node.apply(plan)
    assert "libnvidia-compute-580-server" in node.packages
    assert node.plan(wish).empty


def test_helpers_stay_unless_the_distributions_packages_come(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.packages["nvidia-settings"] = ("ii", "510.47.03-0ubuntu4")
    assert not {"nvidia-settings", "nvidia-persistenced"} & _purged(node.plan(Wish(branch="610", replace_healthy=True)))
    plan = node.plan(Wish(source="distribution", branch="580", replace_healthy=True))
    assert "nvidia-persistenced" in _purged(plan)
    assert "nvidia-settings" not in _purged(plan)


def test_trees_in_dkms_that_no_package_looks_after(node: FakeNode) -> None:
    node.dkms = ["nvidia/550.54.15: added", "nvidia/535.288.01, 6.8.0-45-generic, x86_64: installed"]
    assert node.plan().dkms_remove == ["nvidia/550.54.15", "nvidia/535.288.01"]
    node.install_stack("ubuntu", "535")
    plan = node.plan(CUDA_13)
    assert plan.dkms_remove == ["nvidia/550.54.15"]  # nvidia-dkms-535 takes its own with it
    node.apply(plan)
    assert node.plan(CUDA_13).empty


def test_a_half_installed_package_does_not_look_after_its_tree(node: FakeNode) -> None:
    node.install_stack("ubuntu", "535")
    node.packages["nvidia-dkms-535"] = ("iHR", "535.288.01-0ubuntu0.24.04.1")
    node.dkms = ["nvidia/535.288.01: added"]
    assert node.plan().dkms_remove == ["nvidia/535.288.01"]


def test_a_runfile_goes_by_its_own_uninstaller(node: FakeNode) -> None:
    node.libcuda, node.uninstaller = ("570.133.07", None), True
    wish = Wish(remove_runfile=True)
    plan = node.plan(wish)
    assert (plan.state, plan.runfile_uninstall) == (REPAIR, True)
    node.apply(plan)
    assert node.plan(wish).empty


def test_a_stopped_plan_still_tells_what_it_would_do(node: FakeNode) -> None:
    node.install_stack("ubuntu", "535")
    node.secure_boot = True
    plan = node.plan(CUDA_13)
    assert plan.state == STOPPED
    text = lines(plan)
    assert text[0] == "The driver is not touched."
    assert any(line.startswith("Stop: Secure Boot") for line in text)
    assert any(line.startswith("Purge: ") and "nvidia-dkms-535" in line for line in text)


def test_the_text_says_each_reason_once(node: FakeNode) -> None:
    node.install_stack("ubuntu", "535")
    text = lines(node.plan(CUDA_13))
    assert len([line for line in text if line.startswith("Purge: ")]) == 1
    assert any(line == "Install: cuda-drivers 595.*" for line in text)


def test_no_gpu_is_a_stop_even_with_a_sound_driver(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.gpus = ()
    plan = node.plan()
    assert plan.state == STOPPED
    assert "No NVIDIA GPU" in plan.stops[0]
