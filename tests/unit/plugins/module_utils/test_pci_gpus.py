# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import pci_gpus
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_sysfs import (
    H200_ID,
    add_pci_device,
    load_nvidia_module,
)


@pytest.mark.parametrize("driver", ["nvidia", "nouveau", "NovaCore", "vfio-pci", None])
def test_a_gpu_and_what_is_bound_to_it(tmp_path: Path, driver: str | None) -> None:
    add_pci_device(tmp_path, "0000:01:00.0", driver=driver)
    (gpu,) = pci_gpus.read(tmp_path).gpus
    assert (gpu["pci_address"], gpu["pci_id"], gpu.get("kernel_driver")) == ("0000:01:00.0", "10de:27b0", driver)


def test_only_gpus_of_nvidia_count(tmp_path: Path) -> None:
    add_pci_device(tmp_path, "0000:83:00.0", H200_ID, device_class="0x030200")
    add_pci_device(tmp_path, "0000:01:00.0")
    add_pci_device(tmp_path, "0000:01:00.1", device_class="0x040300")  # its sound
    add_pci_device(tmp_path, "0000:02:00.0", device_class="0x068000")  # an NVSwitch
    add_pci_device(tmp_path, "0000:00:02.0", vendor="0x8086")
    assert [gpu["pci_address"] for gpu in pci_gpus.read(tmp_path).gpus] == ["0000:01:00.0", "0000:83:00.0"]


def test_the_loaded_module(tmp_path: Path) -> None:
    load_nvidia_module(tmp_path, "595.91.07")
    assert pci_gpus.read(tmp_path).driver == {"kernel_module_version": "595.91.07", "open_kernel_module": True}


def test_the_proprietary_flavour(tmp_path: Path) -> None:
    load_nvidia_module(tmp_path, "580.95.05", open_flavour=False)
    assert pci_gpus.read(tmp_path).driver["open_kernel_module"] is False


def test_a_machine_without_a_bus(tmp_path: Path) -> None:
    reading = pci_gpus.read(tmp_path)
    assert (reading.gpus, reading.driver, reading.failures) == ([], {}, [])


def test_a_device_that_vanishes_while_it_is_looked_at(tmp_path: Path) -> None:
    add_pci_device(tmp_path, "0000:01:00.0")
    (tmp_path / "sys/bus/pci/devices/0000:02:00.0").symlink_to(tmp_path / "gone")
    assert len(pci_gpus.read(tmp_path).gpus) == 1


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("00000000:01:00.0", "0000:01:00.0"), ("00000000:AF:00.0", "0000:af:00.0"), ("00010000:E1:00.0", "10000:e1:00.0")],
)
def test_addresses_are_written_as_the_kernel_does(theirs: str, ours: str) -> None:
    assert pci_gpus.pci_address(theirs) == ours
