# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA's GPUs as the kernel lists them in sysfs: known without any driver and without lspci."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import SYSFS, Reading
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import read_text

_NVIDIA = "0x10de"
_DISPLAY_CLASSES = ("0x0300", "0x0302")  # VGA controller, 3D controller; then two digits of programming interface


def read(root: Path = Path("/")) -> Reading:
    """The GPUs on the bus with the kernel driver bound to each, and the version of a loaded nvidia module."""
    devices = sorted((root / "sys/bus/pci/devices").glob("*"))
    return Reading(SYSFS, [_gpu(device) for device in devices if _is_gpu(device)], _driver(root))


def pci_address(bus_id: str) -> str:
    """An address as sysfs writes it; nvidia-smi writes the domain with eight digits."""
    domain, rest = bus_id.split(":", 1)
    return f"{int(domain, 16):04x}:{rest.lower()}"


def pci_id(vendor: int, device: int) -> str:
    """Vendor and device as lspci -n writes them."""
    return f"{vendor:04x}:{device:04x}"


def _is_gpu(device: Path) -> bool:
    return read_text(device / "vendor") == _NVIDIA and (read_text(device / "class") or "").startswith(_DISPLAY_CLASSES)


def _gpu(device: Path) -> dict[str, Any]:
    gpu: dict[str, Any] = {"pci_address": device.name}
    number = read_text(device / "device")
    if number:
        gpu["pci_id"] = pci_id(int(_NVIDIA, 16), int(number, 16))
    driver = device / "driver"
    if driver.exists():
        gpu["kernel_driver"] = driver.resolve().name
    return gpu


def _driver(root: Path) -> dict[str, Any]:
    driver: dict[str, Any] = {}
    version = read_text(root / "sys/module/nvidia/version")
    if version:
        driver["kernel_module_version"] = version
    flavour = read_text(root / "proc/driver/nvidia/version")
    if flavour:
        driver["open_kernel_module"] = "Open Kernel Module" in flavour
    return driver
