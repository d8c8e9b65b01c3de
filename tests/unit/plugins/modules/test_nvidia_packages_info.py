# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_facts
from ansible_collections.toolserve.gpunode.plugins.modules import nvidia_packages_info
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """The module looks at this node instead of the machine."""
    node = FakeNode(tmp_path / "node")
    monkeypatch.setattr(nvidia_packages_info, "ask", node.answer)
    monkeypatch.setattr(nvidia_packages_info, "nvidia_facts", _Facts(node))
    return node


class _Facts:
    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def look(self, wish: Any, _root: Path, _ask: Any) -> nvidia_facts.NodeFacts:
        return self._node.facts(wish)


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_returned_is_what_is_documented(node: FakeNode, run_module: Run, check_mode: bool) -> None:
    node.install_stack("ubuntu", "550")
    result = run_module(nvidia_packages_info, check_mode=check_mode, minimum_version="580.65.06")
    documented = yaml.safe_load(nvidia_packages_info.RETURN)
    assert result["changed"] is False
    assert result["facts"].keys() == documented["facts"]["contains"].keys()
    assert result["plan"].keys() == documented["plan"]["contains"].keys()
    for part in ("kernels", "module", "libcuda"):
        assert result["facts"][part].keys() == documented["facts"]["contains"][part]["contains"].keys()
    packages = documented["facts"]["contains"]["packages"]["contains"]
    assert all(package.keys() == packages.keys() for package in result["facts"]["packages"])
    types = {"str": str, "bool": bool, "list": list, "dict": dict, "int": int}
    for name, value in result["plan"].items():
        if (name, value) != ("kept_pin", None):  # nothing stays on this node
            assert type(value) is types[documented["plan"]["contains"][name]["type"]], name


@pytest.mark.parametrize(("driver", "waits"), [("ubuntu 550", True), ("nvidia 595", False)])
def test_another_process_that_changes_packages_is_waited_for(
    node: FakeNode, run_module: Run, monkeypatch: pytest.MonkeyPatch, driver: str, waits: bool
) -> None:
    """Here it puts a sound driver in the place of what is seen first."""
    node.install_stack(*driver.split())
    holders = [4711, 4711, None]
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            node.packages = {name: entry for name, entry in node.packages.items() if "nvidia" not in name}
            node.install_stack("nvidia", "595")

    monkeypatch.setattr(nvidia_packages_info.dpkg_lock, "holder", lambda _root: holders[len(slept)])
    monkeypatch.setattr(nvidia_packages_info.time, "sleep", sleep)
    result = run_module(nvidia_packages_info, minimum_version="580.65.06")
    assert result["plan"]["state"] == "healthy"
    assert len(slept) == (2 if waits else 0)


def test_and_not_for_ever(node: FakeNode, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia_packages_info.dpkg_lock, "holder", lambda _root: 4711)
    result = run_module(nvidia_packages_info, lock_timeout=0)
    assert result["plan"]["state"] == "stopped"
    assert "PID 4711" in result["plan"]["stops"][0]


def test_options_are_wishes(node: FakeNode, run_module: Run) -> None:
    documented = yaml.safe_load(nvidia_packages_info.DOCUMENTATION)["options"]
    assert documented.keys() - {"lock_timeout"} == nvidia_packages_info.Wish.__dataclass_fields__.keys()
    result = run_module(nvidia_packages_info, branch="580", flavour="open", headless=True)
    assert result["plan"]["target"] == "branch 580 packaged by NVIDIA (open kernel modules)"
    assert "nvidia-dkms-open" in result["plan"]["install"]


@pytest.mark.parametrize("branch", ["595.91", "latest", "58", ""])
def test_a_branch_has_three_digits(node: FakeNode, run_module: Run, branch: str) -> None:
    assert "three digits" in run_module(nvidia_packages_info, branch=branch)["msg"]


@pytest.mark.parametrize("version", ["13.0", "580", "newest"])
def test_a_minimum_is_a_driver_version(node: FakeNode, run_module: Run, version: str) -> None:
    assert "580.65.06" in run_module(nvidia_packages_info, minimum_version=version)["msg"]


def test_a_machine_that_is_no_node_at_all_is_no_failure(run_module: Run) -> None:
    """This machine, whatever it is."""
    result = run_module(nvidia_packages_info)
    assert result["plan"]["text"]
