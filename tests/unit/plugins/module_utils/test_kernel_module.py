# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.kernel_module import DiskModule, read
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_sysfs import load_nvidia_module

OLD, NEW = "6.8.0-45-generic", "6.8.0-51-generic"


def _modinfo(**fields: str) -> object:
    def ask(command: Sequence[str]) -> str:
        _modinfo, _k, kernel, _f, field, module = command
        return f"{fields[field]}\n" if (kernel, module) == (OLD, fields["module"]) else ""

    return ask


@pytest.mark.parametrize("module", ["nvidia", "nvidia-current"])  # Debian's own packages name it nvidia-current
@pytest.mark.parametrize(("licence", "is_open"), [("Dual MIT/GPL", True), ("NVIDIA", False), ("", None)])
def test_on_disk(tmp_path: Path, module: str, licence: str, is_open: bool | None) -> None:
    ask = _modinfo(module=module, version="595.91.07", license=licence)
    found = read(tmp_path, [OLD, NEW], ask)  # type: ignore[arg-type]
    assert found.on_disk == {OLD: DiskModule("595.91.07", is_open)}
    assert found.as_dict()["on_disk"] == {OLD: "595.91.07"}


def test_loaded(tmp_path: Path) -> None:
    load_nvidia_module(tmp_path, "580.95.05", open_flavour=False)
    found = read(tmp_path, [], lambda command: "")
    assert (found.loaded_version, found.open_flavour, found.other_driver) == ("580.95.05", False, None)


@pytest.mark.parametrize("name", ["nouveau", "nova_core"])
def test_another_driver(tmp_path: Path, name: str) -> None:
    (tmp_path / "sys/module" / name).mkdir(parents=True)
    assert read(tmp_path, [], lambda command: "").other_driver == name
