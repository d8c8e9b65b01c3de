# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A /sys and /proc in a folder, as the kernel would show them."""

from __future__ import annotations

from pathlib import Path

SFF_ADA_ID, H200_ID, UNKNOWN_ID = "0x27b0", "0x2335", "0x1180"


def add_pci_device(
    root: Path,
    address: str,
    device: str = SFF_ADA_ID,
    driver: str | None = None,
    *,
    vendor: str = "0x10de",
    device_class: str = "0x030000",
) -> None:
    """A device on the bus; ``driver`` the name of the kernel driver that is bound to it."""
    real = root / "sys/devices/pci0000:00" / address
    real.mkdir(parents=True)
    for name, text in (("vendor", vendor), ("device", device), ("class", device_class)):
        (real / name).write_text(f"{text}\n")
    if driver is not None:
        bound = root / "sys/bus/pci/drivers" / driver
        bound.mkdir(parents=True, exist_ok=True)
        (real / "driver").symlink_to(bound)
    bus = root / "sys/bus/pci/devices"
    bus.mkdir(parents=True, exist_ok=True)
    (bus / address).symlink_to(real)


def load_nvidia_module(root: Path, version: str, *, open_flavour: bool = True) -> None:
    """What the kernel shows of a loaded nvidia module."""
    flavour = "UNIX Open Kernel Module for x86_64" if open_flavour else "UNIX x86_64 Kernel Module"
    for path, text in (
        ("sys/module/nvidia/version", version),
        ("proc/driver/nvidia/version", f"NVRM version: NVIDIA {flavour}  {version}  Release Build\nGCC version: 13\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")


def add_process(root: Path, pid: int, name: str) -> None:
    """A process, by its short name."""
    folder = root / f"proc/{pid}"
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "cmdline").write_text(f"{name}\0--api-key\0canary-4711\0")
