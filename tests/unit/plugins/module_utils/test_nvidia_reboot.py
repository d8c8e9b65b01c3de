# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each reason where it holds and where it does not; after a boot none is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_reboot
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

VERSION = "595.91.07"


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    node = FakeNode(tmp_path / "node", loaded=(VERSION, False))
    node.install_stack("nvidia", "595")
    return node


def _only(node: FakeNode) -> str:
    (reason,) = nvidia_reboot.reasons(node.facts())
    return reason


def test_all_in_step(node: FakeNode) -> None:
    assert nvidia_reboot.reasons(node.facts()) == []
    assert node.plan().empty


def test_no_module_loaded_needs_none(node: FakeNode) -> None:
    node.loaded = None
    assert nvidia_reboot.reasons(node.facts()) == []


@pytest.mark.parametrize("name", ["nouveau", "nova_core"])
def test_another_driver_holds_the_gpu(node: FakeNode, name: str) -> None:
    node.loaded, node.other_driver = None, name
    assert name in _only(node)
    plan = node.plan()
    assert not plan.empty and not plan.changes
    node.apply(plan)
    assert node.plan().empty


def test_an_old_module_is_loaded(node: FakeNode) -> None:
    node.loaded = ("580.95.05", False)
    assert "580.95.05 is loaded, on disk is 595.91.07" in _only(node)


def test_the_loaded_module_is_not_of_libcuda(node: FakeNode) -> None:
    node.libcuda, node.loaded = ("595.99.01", "libnvidia-compute"), (VERSION, False)
    assert "803" in _only(node)


def test_the_other_flavour_is_loaded(node: FakeNode) -> None:
    node.loaded = (VERSION, True)
    assert "open kernel module is loaded, on disk is the proprietary one" in _only(node)


def test_a_licence_that_is_not_told_is_no_other_flavour(node: FakeNode) -> None:
    node.loaded = (VERSION, True)
    node.modules = {kernel: (VERSION, "") for kernel in node.kernels}
    assert nvidia_reboot.reasons(node.facts()) == []


def test_only_the_next_kernel_has_the_module(node: FakeNode) -> None:
    node.kernels.append("6.8.0-51-generic")
    node.modules, node.loaded = {"6.8.0-51-generic": (VERSION, "NVIDIA")}, None
    assert "6.8.0-51-generic, which boots next" in _only(node)


def test_packages_of_the_driver_ask_for_it(node: FakeNode) -> None:
    node.reboot_required, node.loaded = "nvidia-driver-595", None
    assert "/run/reboot-required (nvidia-driver-595)" in _only(node)


@pytest.mark.parametrize(
    ("packages", "told"),
    [
        ("libc6\ndbus", "libc6, dbus"),
        ("linux-image-6.8.0-51-generic\nlinux-base", "linux-base"),
        ("", "does not name"),
        ("nvidia-driver-595", "nvidia-driver-595"),  # but its module is loaded already
    ],
)
def test_a_request_that_the_driver_does_not_need_is_only_told(node: FakeNode, packages: str, told: str) -> None:
    node.reboot_required = packages
    assert nvidia_reboot.reasons(node.facts()) == []
    plan = node.plan()
    assert plan.empty
    assert told in plan.warnings[0]


def test_a_loaded_module_that_will_be_replaced(node: FakeNode) -> None:
    assert "595.91.07 is loaded" in nvidia_reboot.reasons(node.facts(), replaced_by="branch 610")[0]
    node.loaded = None
    assert nvidia_reboot.reasons(node.facts(), replaced_by="branch 610") == []
