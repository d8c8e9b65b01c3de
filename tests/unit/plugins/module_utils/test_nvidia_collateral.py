# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_collateral
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan import REPAIR, STOPPED, Plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_plan_text import lines
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Wish
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_node import FakeNode

CUDA_13 = Wish(minimum_version="580.65.06")


def _plan(tmp_path: Path, **also_removed: str) -> tuple[Plan, list[Sequence[str]]]:
    """The plan for a leftover driver of Ubuntu's with further packages, which apt would remove as well."""
    node = FakeNode(tmp_path / "node")
    node.install_stack("ubuntu", "550")
    names = [name.replace("_", "-") for name in also_removed]
    node.packages |= dict(zip(names, (("ii", version) for version in also_removed.values()), strict=True))
    asked: list[Sequence[str]] = []

    def ask(command: Sequence[str]) -> str:
        asked.append(command)
        gone = [*command[command.index("purge") + 1 :], *names]
        return "Reading package lists...\n" + "".join(f"Purg {name} [1]\n" for name in gone)

    facts = node.facts(CUDA_13)
    plan = node.plan(CUDA_13)
    nvidia_collateral.add(plan, facts, ask)
    return plan, asked


def test_nothing_depends_on_them(tmp_path: Path) -> None:
    plan, asked = _plan(tmp_path)
    assert (plan.state, plan.stops) == (REPAIR, [])
    assert asked[0][:2] == ("apt-get", "--simulate")
    assert {entry.name for entry in plan.purge} == set(asked[0][asked[0].index("purge") + 1 :])


def test_a_part_of_the_driver_goes_with_them(tmp_path: Path) -> None:
    plan, _asked = _plan(tmp_path, nvidia_settings="510.47.03-0ubuntu4")
    assert plan.state == REPAIR
    assert "depends on" in next(entry.why for entry in plan.purge if entry.name == "nvidia-settings")


@pytest.mark.parametrize("name", ["nvtop", "nvidia_cuda_toolkit", "nvidia_container_toolkit"])
def test_a_package_of_others_is_a_reason_to_stop(tmp_path: Path, name: str) -> None:
    plan, _asked = _plan(tmp_path, **{name: "1.20.0-1"})
    assert plan.state == STOPPED
    (stop,) = plan.stops
    assert f"apt-get remove {name.replace('_', '-')}" in stop
    assert name.replace("_", "-") not in {entry.name for entry in plan.purge}


@pytest.mark.parametrize("printed", ["", "Reading package lists...\n", "Purg nvidia-utils-550 [1]\n"])
def test_a_simulation_that_fails_is_a_reason_to_stop(tmp_path: Path, printed: str) -> None:
    node = FakeNode(tmp_path / "node")
    node.install_stack("ubuntu", "550")
    node.answers["apt-get"] = lambda command: printed
    plan = node.plan(CUDA_13)
    assert plan.state == STOPPED
    (stop,) = plan.stops
    assert "apt-get --simulate" in stop


def test_unless_packages_are_broken_which_dpkg_removes_itself(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node")
    node.install_stack("ubuntu", "550")
    node.packages["nvidia-dkms-550"] = ("iF", "550.163.01-0ubuntu0.24.04.1")
    node.answers["apt-get"] = lambda command: ""
    plan = node.plan(CUDA_13)
    assert (plan.state, plan.stops, plan.purge_forced) == (REPAIR, [], True)
    assert "copy of its records" in plan.warnings[-1]
    assert any("dpkg --force-depends" in line for line in lines(plan))


def test_what_dpkg_can_only_remove_is_left_to_dpkg(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node")
    node.install_stack("ubuntu", "550")
    assert not node.plan(CUDA_13).purge_forced
    node.packages["postfix"] = ("iHR", "3.8.6-1build2")
    assert not node.plan(CUDA_13).purge_forced
    node.packages["nvidia-dkms-550"] = ("iHR", "550.163.01-0ubuntu0.24.04.1")
    assert node.plan(CUDA_13).purge_forced


@pytest.mark.parametrize("installed", [True, False])
def test_what_depends_on_the_driver_goes_only_where_it_is_there(tmp_path: Path, installed: bool) -> None:
    node = FakeNode(tmp_path / "node", dependents={"nvtop": "libnvidia-compute-550"})
    node.install_stack("ubuntu", "550")
    node.packages["nvtop"] = ("ii" if installed else "rc", "3.0.2-1")
    assert bool(node.plan(CUDA_13).stops) is installed


def test_nothing_to_purge_nothing_to_ask(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node")
    plan = node.plan()
    nvidia_collateral.add(plan, node.facts(), lambda command: pytest.fail(str(command)))
    assert not plan.stops
