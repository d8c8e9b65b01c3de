# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_headers
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import STOPPED
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

RUNNING, NEWER = "6.8.0-45-generic", "6.8.0-51-generic"
EXACT, META = f"linux-headers-{RUNNING}", "linux-headers-generic"


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path / "node")


def test_those_of_the_running_kernel_and_the_meta_package(node: FakeNode) -> None:
    headers = nvidia_headers.needed(node.facts())
    assert headers == nvidia_headers.Headers([EXACT, META])


def test_what_is_installed_is_not_installed_again(node: FakeNode) -> None:
    node.packages[META] = ("ii", "6.8.0-45.45")
    assert nvidia_headers.needed(node.facts()).packages == [EXACT]
    node.packages[EXACT] = ("ii", "6.8.0-45.45")
    assert nvidia_headers.needed(node.facts()).packages == []


def test_a_newer_kernel_boots_first(node: FakeNode) -> None:
    node.kernels.append(NEWER)
    node.offered[f"linux-headers-{NEWER}"] = [("6.8.0-51.52", "Ubuntu")]
    headers = nvidia_headers.needed(node.facts())
    assert headers.packages == [EXACT, f"linux-headers-{NEWER}", META]
    assert NEWER in headers.reboot_first[0]
    plan = node.plan()
    assert plan.reboot_reasons[0] == plan.reboot_first[0]
    node.apply(plan)
    assert node.running == NEWER
    assert node.plan().empty


def test_a_newer_kernel_helps_where_the_headers_of_the_running_one_are_gone(node: FakeNode) -> None:
    node.kernels.append(NEWER)
    del node.offered[EXACT]
    node.offered[f"linux-headers-{NEWER}"] = [("6.8.0-51.52", "Ubuntu")]
    headers = nvidia_headers.needed(node.facts())
    assert headers.packages == [f"linux-headers-{NEWER}", META]
    assert headers.reboot_first and not headers.stops


def test_a_newer_kernel_that_nothing_can_be_built_for_is_not_booted(node: FakeNode) -> None:
    node.kernels.append(NEWER)
    headers = nvidia_headers.needed(node.facts())
    assert (headers.packages, headers.reboot_first) == ([EXACT, META], [])
    assert NEWER in headers.warnings[0]
    node.apply(node.plan())
    assert (node.running, node.plan().changes) == (RUNNING, False)


@pytest.mark.parametrize("other_driver", ["nouveau", None])
def test_nor_where_the_driver_needs_a_boot(node: FakeNode, other_driver: str | None) -> None:
    node.kernels.append(NEWER)
    node.other_driver = other_driver
    stops = node.plan().stops
    assert bool(stops) is (other_driver is not None)
    assert all(NEWER in stop for stop in stops)
    node.apt_lists_age_seconds = 7200  # the role reads them again
    assert node.plan().stops == []


def test_but_a_still_newer_one_is(node: FakeNode) -> None:
    node.kernels.append(NEWER)
    node.offered["linux-image-generic"] = [("6.8.0-99.99", "Ubuntu")]
    assert nvidia_headers.needed(node.facts()).kernel_upgrade


def test_gone_headers_ask_for_a_newer_kernel(node: FakeNode) -> None:
    del node.offered[EXACT]
    node.offered["linux-image-generic"] = [("6.8.0-99.99", "Ubuntu")]
    plan = node.plan()
    assert plan.kernel_upgrade
    assert plan.headers == ["linux-image-generic", META]
    assert EXACT in plan.reboot_first[0]
    node.apply(plan)
    assert node.plan().empty


def test_with_a_newer_kernel_the_headers_are_brought_up_too(node: FakeNode) -> None:
    del node.offered[EXACT]
    node.packages[META] = ("ii", "6.8.0-40.40")
    node.offered["linux-image-generic"] = [("6.8.0-99.99", "Ubuntu")]
    assert node.plan().headers == ["linux-image-generic", META]


def test_headers_that_are_nowhere_are_a_stop(node: FakeNode) -> None:
    del node.offered[EXACT]
    plan = node.plan()
    assert plan.state == STOPPED
    assert RUNNING in plan.stops[0]


def test_old_lists_of_apt_prove_nothing(node: FakeNode) -> None:
    del node.offered[EXACT]
    node.apt_lists_age_seconds = 7200
    plan = node.plan()
    assert (plan.stops, EXACT in plan.headers) == ([], True)
    assert "apt-get update" in plan.warnings[0]
    node.apt_lists_age_seconds = 0
    assert node.plan().state == STOPPED


def test_old_lists_are_still_believed_where_they_have_it(node: FakeNode) -> None:
    del node.offered[EXACT]
    node.offered["linux-image-generic"] = [("6.8.0-99.99", "Ubuntu")]
    node.apt_lists_age_seconds = 7200
    assert node.plan().kernel_upgrade


def test_where_the_lists_of_apt_were_never_read_nothing_is_missing(node: FakeNode) -> None:
    node.offered, node.apt_lists = {}, False
    headers = nvidia_headers.needed(node.facts())
    assert (headers.packages, headers.stops) == ([EXACT, META], [])


def test_somebodys_own_kernel(node: FakeNode) -> None:
    node.running, node.kernels = "6.18.44-fc-v669", []
    del node.packages["linux-image-generic"]
    node.packages["linux-headers-6.18.44-fc-v669"] = ("ii", "1")
    headers = nvidia_headers.needed(node.facts())
    assert "6.18.44-fc-v669" in headers.warnings[0]


def test_signed_modules_need_no_headers(node: FakeNode) -> None:
    node.offered = {}
    plan = node.plan(Wish(source="distribution", branch="580"))
    assert plan.headers == []
    assert not any("headers" in stop for stop in plan.stops)
