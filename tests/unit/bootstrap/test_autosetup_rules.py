# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import parse
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import refusals
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_traps import hostname_ok, problems, traps
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.broken import BROKEN, Broken
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.setups import ALL, SetUp


@pytest.mark.parametrize("setup", ALL, ids=lambda setup: setup.name)
def test_nothing_speaks_against_the_golden_files(setup: SetUp) -> None:
    assert problems(parse(setup.path.read_text(encoding="utf-8")), setup.machine) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_what_is_broken_is_told(broken: Broken) -> None:
    setup = parse(broken.text)
    told = problems(setup, broken.machine)
    assert broken.told in "\n".join(told)
    assert bool(refusals(setup, broken.machine)) == broken.refused


def test_each_file_is_broken_in_its_own_way() -> None:
    assert len({one.name for one in BROKEN}) == len(BROKEN)
    taken = [one for one in BROKEN if not one.refused]
    assert taken and all(traps(parse(one.text), one.machine) for one in taken)


@pytest.mark.parametrize(("name", "fine"), [("gpu1", True), ("gpu-1.example.org", True), ("1", True), ("-a", False)])
def test_hostname(name: str, fine: bool) -> None:
    assert hostname_ok(name) is fine


@pytest.mark.parametrize("name", ["", "a..b", "a.", "gpu_1", "a" * 64, "gpu1\n", "a." * 40 + "b"])
def test_what_is_no_hostname(name: str) -> None:
    assert not hostname_ok(name)
