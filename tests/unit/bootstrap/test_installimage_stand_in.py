# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bench's installimage, which has rules of its own: it says yes and no as the role's rules do."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import Machine
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.broken import BROKEN, Broken
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.setups import ALL, SetUp

_PROGRAM = Path(__file__).parents[2] / "bench/hetzner/installimage"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    loader = SourceFileLoader("stand_in_installimage", str(_PROGRAM))
    spec = spec_from_loader(loader.name, loader)
    if spec is None:
        raise ImportError(_PROGRAM)
    module = module_from_spec(spec)
    sys.modules[loader.name] = module
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


def verdict(program: ModuleType, text: str, machine: Machine) -> str:
    """What it objects to; empty when it would install."""
    try:
        config = program.read(text, program.counted(list(machine.disks.items())))
        program.check(config, dict(machine.disks), machine.uefi, machine.architecture)
    except (program.Refused, program.Confused) as reason:
        return str(reason)
    return ""


def test_it_uses_none_of_our_code() -> None:
    assert "ansible" not in _PROGRAM.read_text(encoding="utf-8")


@pytest.mark.parametrize("setup", ALL, ids=lambda setup: setup.name)
def test_it_takes_the_golden_files(program: ModuleType, setup: SetUp) -> None:
    assert verdict(program, setup.path.read_text(encoding="utf-8"), setup.machine) == ""


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_it_refuses_what_installimage_refuses(program: ModuleType, broken: Broken) -> None:
    assert bool(verdict(program, broken.text, broken.machine)) == broken.refused


@pytest.mark.parametrize(
    ("name", "erased"),
    [
        ("2-nvme-uefi", ["/dev/nvme0n1", "/dev/nvme1n1"]),
        ("2-nvme-uefi-plain", ["/dev/nvme0n1", "/dev/nvme1n1"]),
        ("1-sata-bios", ["/dev/sda"]),
    ],
)
def test_it_erases_what_the_role_says(program: ModuleType, name: str, erased: list[str]) -> None:
    setup = next(one for one in ALL if one.name == name)
    assert program.read(setup.text(), setup.disks).erased == erased


def test_a_disk_that_is_named_and_not_used_stays(program: ModuleType) -> None:
    text = "DRIVE1 /dev/sda\nDRIVE2 /dev/sdb\nSWRAID 0\n"
    assert program.read(text, 2).erased == ["/dev/sda"]
