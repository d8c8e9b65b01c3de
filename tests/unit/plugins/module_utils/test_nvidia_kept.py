# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A driver with which CUDA works is not replaced, however it came there; where CUDA does not work, it is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import HEALTHY, REPAIR, STOPPED
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan_text import lines
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

CUDA_13 = Wish(minimum_version="580.65.06")
ALL_CAPABILITIES = (1 << 41) - 1
WITHOUT_SYS_MODULE = ALL_CAPABILITIES & ~(1 << 16)
NEWER = "6.8.0-51-generic"


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path / "node")


@pytest.fixture
def container(node: FakeNode) -> FakeNode:
    """What the host's 580 looks like in an LXC container that has only its libraries."""
    node.capabilities, node.kernels = WITHOUT_SYS_MODULE, []
    node.packages["libnvidia-compute-580"] = ("ii", "580.142-0ubuntu0.24.04.1")
    node.libcuda, node.loaded = ("580.142", "libnvidia-compute-580"), ("580.142", False)
    return node


def _mixed(node: FakeNode) -> None:
    node.install_stack("ubuntu", "580")
    node.packages["libnvidia-extra-595"] = ("ii", "595.58.03-0ubuntu0.24.04.1")
    node.loaded = ("580.142", False)


def _only_libraries(node: FakeNode) -> None:
    """Somebody has put the module there without a package."""
    node.packages["libnvidia-compute-580"] = ("ii", "580.142-0ubuntu0.24.04.1")
    node.libcuda, node.loaded = ("580.142", "libnvidia-compute-580"), ("580.142", False)


def _runfile(node: FakeNode) -> None:
    node.libcuda, node.uninstaller, node.loaded = ("595.45.04", None), True, ("595.45.04", True)


def _grid(node: FakeNode) -> None:
    node.packages["nvidia-linux-grid-580"] = ("ii", "580.95.05")
    node.libcuda, node.loaded = ("580.95.05", "nvidia-linux-grid-580"), ("580.95.05", True)


@pytest.mark.parametrize("past", [_mixed, _only_libraries, _runfile, _grid])
@pytest.mark.parametrize("consent", [False, True])
def test_what_works_is_not_replaced(node: FakeNode, past: Callable[[FakeNode], None], consent: bool) -> None:
    past(node)
    wish = Wish(minimum_version="580.65.06", remove_runfile=consent, change_held=consent)
    plan = node.plan(wish)
    assert (plan.state, plan.changes, plan.pin, plan.stops) == (HEALTHY, False, None, [])


@pytest.mark.parametrize("past", [_mixed, _only_libraries, _runfile])
def test_but_it_is_on_demand(node: FakeNode, past: Callable[[FakeNode], None]) -> None:
    past(node)
    assert any("replace_healthy" in warning for warning in node.plan(CUDA_13).warnings)
    wish = Wish(minimum_version="580.65.06", replace_healthy=True, remove_runfile=True)
    plan = node.plan(wish)
    assert plan.state == REPAIR and plan.install
    node.apply(plan)
    assert node.plan(wish).empty


@pytest.mark.parametrize("past", [_mixed, _only_libraries, _runfile])
@pytest.mark.parametrize("cuda_init", [100, 803, 999])
def test_and_where_cuda_does_not_work(node: FakeNode, past: Callable[[FakeNode], None], cuda_init: int) -> None:
    past(node)
    node.cuda_init = cuda_init
    plan = node.plan(Wish(minimum_version="580.65.06", remove_runfile=True))
    assert plan.state == REPAIR and plan.install


@pytest.mark.parametrize("past", [_mixed, _only_libraries, _runfile])
def test_and_where_it_is_too_old(node: FakeNode, past: Callable[[FakeNode], None]) -> None:
    past(node)
    plan = node.plan(Wish(branch="610", minimum_version="610.43.02", remove_runfile=True))
    assert plan.state == REPAIR
    assert any("610.43.02" in conflict.why for conflict in plan.conflicts)


def test_what_works_is_not_rebooted(node: FakeNode) -> None:
    version = node.install_stack("nvidia", "595")
    node.modules, node.loaded = {node.running: (version, "NVIDIA")}, (version, True)
    plan = node.plan()
    assert (plan.empty, "open kernel module" in plan.warnings[0]) == (True, True)
    node.cuda_init = 999
    assert "open kernel module" in node.plan().reboot_reasons[0]


def test_cuda_is_not_started_where_that_would_load_the_module(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    assert node.facts().cuda is None
    node.loaded = ("595.91.07", False)
    facts = node.facts()
    assert facts.cuda_works and facts.as_dict()["cuda"]["result"] == 0
    node.libcuda = None
    assert node.facts().cuda is None


@pytest.mark.parametrize("companion", ["nvidia-fabricmanager-580", "libnvidia-nscq", "nvidia-imex"])
def test_companions_of_whatever_branch_are_no_mix(node: FakeNode, companion: str) -> None:
    node.install_stack("ubuntu", "580")
    node.packages[companion] = ("ii", "610.57.04-1ubuntu1")
    assert node.plan(CUDA_13).state == HEALTHY
    node.packages["libnvidia-gl-610"] = ("ii", "610.43.02-0ubuntu0.24.04.1")
    assert node.plan(CUDA_13).state == REPAIR


def test_a_library_of_a_package_that_is_not_known_is_a_reason_to_stop(node: FakeNode) -> None:
    _grid(node)
    node.loaded = None
    plan = node.plan()
    assert plan.state == STOPPED
    assert "nvidia-linux-grid-580" in plan.stops[0]
    node.packages["libnvidia-compute-580"] = ("ii", "580.142-0ubuntu0.24.04.1")
    node.libcuda = ("580.142", "libnvidia-compute-580")
    assert node.plan().stops == []


def test_dpkg_may_finish_with_a_driver_that_works(node: FakeNode) -> None:
    version = node.install_stack("ubuntu", "580")
    node.packages["nvidia-driver-580"] = ("iF", "580.142-0ubuntu0.24.04.1")
    node.loaded = (version, False)
    plan = node.plan(CUDA_13)
    assert (plan.state, plan.dpkg_finish, plan.purge, plan.install) == (REPAIR, ["nvidia-driver-580"], [], [])
    node.apply(plan)
    assert node.plan(CUDA_13).empty


def test_a_driver_that_works_beside_half_of_another_is_left_to_the_user(node: FakeNode) -> None:
    version = node.install_stack("ubuntu", "580")
    node.loaded = (version, False)
    node.packages["cuda-drivers"] = ("iU", "610.57.04-1ubuntu1")
    plan = node.plan(CUDA_13)
    assert (plan.state, plan.purge, plan.install) == (STOPPED, [], [])
    assert "apt-get purge cuda-drivers" in plan.stops[0] and "nvidia_driver_replace_healthy" in plan.stops[0]
    plan = node.plan(replace(CUDA_13, replace_healthy=True))
    assert (plan.stops, plan.install) == ([], ["cuda-drivers"])


def test_what_an_interrupted_run_owes_comes_back(node: FakeNode) -> None:
    owed = Wish(owed=["nvidia-fabricmanager"])
    assert node.plan(owed).install == ["cuda-drivers", "nvidia-fabricmanager"]
    version = node.install_stack("nvidia", "595")
    node.loaded = (version, False)
    plan = node.plan(owed)
    assert (plan.state, plan.install) == (REPAIR, ["nvidia-fabricmanager"])
    assert plan.candidates == {"nvidia-fabricmanager": "595.*"}
    node.packages["nvidia-fabricmanager"] = ("ii", "595.91.07-1ubuntu1")
    assert node.plan(owed).empty


def test_the_pin_of_a_driver_that_stays_is_that_of_its_branch(node: FakeNode) -> None:
    node.install_stack("nvidia", "580")
    plan = node.plan(Wish(branch="610"))
    assert (plan.state, plan.pin) == (HEALTHY, None)
    assert plan.kept_pin is not None and "Pin: version 580.*" in plan.kept_pin["content"]
    assert not [line for line in lines(plan) if line.startswith("Pin")]
    node.packages["libnvidia-extra"] = ("ii", "610.57.04-1ubuntu1")
    assert node.plan(Wish(branch="610")).kept_pin is None


def test_in_a_container_libraries_are_a_whole_driver(container: FakeNode) -> None:
    plan = container.plan(CUDA_13)
    assert (plan.state, plan.empty) == (HEALTHY, True)
    container.libcuda, container.packages = ("580.142", None), {}  # those of a .run file
    assert container.plan(CUDA_13).empty


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"loaded": None}, "on the host first"),
        ({"libcuda": None}, "exactly the version 580.142"),
        ({"cuda_init": 100}, "cuInit says 100"),
        ({"libcuda": ("580.95.05", None)}, "580.95.05"),
    ],
)
def test_in_a_container_nothing_is_installed(container: FakeNode, change: dict[str, object], says: str) -> None:
    for name, value in change.items():
        setattr(container, name, value)
    plan = container.plan(CUDA_13)
    assert (plan.state, plan.changes) == (STOPPED, False)
    assert "container" in plan.stops[0] and says in plan.stops[0]
    assert "uninstall" not in plan.stops[0]


def test_in_a_container_too_old_is_the_hosts_business(container: FakeNode) -> None:
    plan = container.plan(Wish(branch="610", minimum_version="610.43.02"))
    assert (plan.state, plan.changes) == (STOPPED, False)
    assert "610.43.02" in plan.stops[0] and "on the host" in plan.stops[0]


@pytest.mark.parametrize(
    ("capabilities", "users", "loadable"),
    [
        (ALL_CAPABILITIES, "0 0 4294967295", True),
        (ALL_CAPABILITIES & ~(1 << 24), "         0          0 4294967295", True),  # as on the bench
        (WITHOUT_SYS_MODULE, "0 0 4294967295", False),
        (ALL_CAPABILITIES, "0 100000 65536", False),  # its root is nobody outside
    ],
)
def test_what_may_load_modules(node: FakeNode, capabilities: int, users: str, loadable: bool) -> None:
    node.capabilities, node.users = capabilities, users
    assert node.facts().modules_loadable is loadable


def test_a_kernel_that_nothing_can_be_built_for_does_not_count_against_the_driver(node: FakeNode) -> None:
    """A newer kernel has been installed with the driver and waits for its boot, which is not allowed."""
    node.install_stack("nvidia", "595")
    node.kernels.append(NEWER)
    node.modules = {NEWER: ("595.91.07", "NVIDIA")}
    del node.packages[f"linux-headers-{node.running}"], node.offered[f"linux-headers-{node.running}"]
    plan = node.plan()
    assert (plan.state, plan.changes) == (HEALTHY, False)
    assert NEWER in plan.reboot_reasons[0]
    node.offered[f"linux-headers-{node.running}"] = [("6.8.0-45.45", "Ubuntu")]
    plan = node.plan()
    assert (plan.state, plan.dkms_autoinstall) == (REPAIR, [node.running])


def test_of_two_kernels_that_lack_it_the_one_that_it_can_be_built_for(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.kernels.append(NEWER)
    node.modules = {}
    node.packages[f"linux-headers-{NEWER}"] = ("ii", "6.8.0-51.52")
    del node.packages[f"linux-headers-{node.running}"], node.offered[f"linux-headers-{node.running}"]
    plan = node.plan()
    assert (plan.state, plan.dkms_autoinstall) == (REPAIR, [NEWER])
    assert [conflict.what for conflict in plan.conflicts] == [f"no NVIDIA module for the kernel {NEWER}"]
    assert node.running in plan.warnings[-1]
    node.apply(plan)
    plan = node.plan()
    assert (plan.state, plan.changes, len(plan.reboot_reasons)) == (HEALTHY, False, 1)
    node.apply(plan)
    assert (node.running, node.plan().empty) == (NEWER, True)


def test_where_no_kernel_has_it_and_none_can_be_built_for_a_newer_one_comes(node: FakeNode) -> None:
    node.install_stack("nvidia", "595")
    node.modules = {}
    del node.packages[f"linux-headers-{node.running}"], node.offered[f"linux-headers-{node.running}"]
    plan = node.plan()
    assert plan.state == STOPPED and node.running in plan.stops[0]
    node.offered["linux-image-generic"] = [("6.8.0-99.99", "Ubuntu")]
    plan = node.plan()
    assert (plan.state, plan.kernel_upgrade, plan.purge) == (REPAIR, True, [])
    node.apply(plan)
    assert node.plan().empty


def test_a_module_that_is_loaded_but_gone_from_disk_is_only_told(node: FakeNode) -> None:
    version = node.install_stack("nvidia", "595")
    node.modules, node.loaded = {}, (version, False)
    del node.packages[f"linux-headers-{node.running}"], node.offered[f"linux-headers-{node.running}"]
    plan = node.plan()
    assert (plan.state, plan.changes) == (HEALTHY, False)
    assert node.running in plan.warnings[0]
