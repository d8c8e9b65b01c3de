# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The peak bandwidth of a GPU's memory: what no kernel can exceed, and what a roofline is drawn from.

It follows from what the driver reports: 2 x maximum memory clock x bus width / 8. The clock that the driver reports
for GDDR is the one at which two bits a clock and pin give the true rate, and HBM does carry two; an engineer of NVIDIA
explains this at https://forums.developer.nvidia.com/t/rtx-3090-a100-memory-frequency/198730, and NVIDIA's nvbench
prints "1008 GB/sec (384-bit DDR @10501MHz)" for an RTX 4090. Checked by arithmetic against clocks recorded on real
GPUs (see the tests); not yet compared with a measured copy.

The table below is the last resort where the driver does not tell, and a check where it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BITS_PER_BYTE = 8
TRANSFERS_PER_CLOCK = 2

# Slower than the slowest card with DDR4, faster than the fastest with HBM4: such a value is an error.
PLAUSIBLE_BYTES_PER_SECOND = (10 * 10**9, 40 * 10**12)
# How far the driver's figure may be from the table's: overclocking and rounded data sheets fit in, a wrong factor of
# two does not.
PLAUSIBLE_RATIO = (0.75, 1.33)


@dataclass(frozen=True)
class KnownGpu:
    """A row of the table: nominal memory in GiB, bandwidth in decimal GB/s, and where the bandwidth is from."""

    name: str
    pci_id: str
    compute_capability: str
    memory_gib: int
    gigabytes_per_second: int
    source: str

    @property
    def bytes_per_second(self) -> int:
        """The same in bytes per second."""
        return self.gigabytes_per_second * 10**9


@dataclass(frozen=True)
class PeakBandwidth:
    """``basis`` says in words how it was obtained; ``doubt`` why the driver's figure was not believed, or nothing."""

    bytes_per_second: int | None
    basis: str = ""
    from_table: bool = False
    doubt: str = ""


_BOARD = "board specification as third parties quote it"
_CLOCK = "bus width of the board x memory clock that nvidia-smi shows"

# Names and PCI ids: table of supported GPUs in the README of NVIDIA's open kernel modules 595.45.04, Volta's from
# pci.ids. Compute capabilities and sizes: NVIDIA's product pages as remembered; programs see a few per cent less than
# the nominal size.
KNOWN_GPUS = (
    KnownGpu("Tesla V100-SXM2-16GB", "10de:1db1", "7.0", 16, 900, _BOARD),
    KnownGpu("Tesla V100-PCIE-16GB", "10de:1db4", "7.0", 16, 900, _BOARD),
    KnownGpu("Tesla V100-SXM2-32GB", "10de:1db5", "7.0", 32, 900, _BOARD),
    KnownGpu("Tesla V100-PCIE-32GB", "10de:1db6", "7.0", 32, 900, _BOARD),
    KnownGpu("Tesla T4", "10de:1eb8", "7.5", 16, 320, f"{_BOARD}: 256 bit x 10 Gbit/s"),
    KnownGpu(
        "NVIDIA A100-SXM4-40GB", "10de:20b0", "8.0", 40, 1555, "NVIDIA developer forum 198730: 5120 bit x 2 x 1215 MHz"
    ),
    KnownGpu(
        "NVIDIA A100-PCIE-40GB", "10de:20f1", "8.0", 40, 1555, "NVIDIA developer forum 198730: 5120 bit x 2 x 1215 MHz"
    ),
    KnownGpu("NVIDIA A100-SXM4-80GB", "10de:20b2", "8.0", 80, 2039, _BOARD),
    KnownGpu("NVIDIA A100 80GB PCIe", "10de:20b5", "8.0", 80, 1935, _BOARD),
    KnownGpu("NVIDIA A10", "10de:2236", "8.6", 24, 600, _BOARD),
    KnownGpu(
        "NVIDIA GeForce RTX 3090", "10de:2204", "8.6", 24, 936, "NVIDIA developer forum 198730: 384 bit x 2 x 9751 MHz"
    ),
    KnownGpu("NVIDIA GeForce RTX 4090", "10de:2684", "8.9", 24, 1008, "NVIDIA/nvbench#207: 384 bit x 2 x 10501 MHz"),
    KnownGpu("NVIDIA RTX 2000 Ada Generation", "10de:28b0", "8.9", 16, 224, f"{_BOARD}: 128 bit x 14 Gbit/s"),
    # Some lists say 320; 160 bit (computerbase.de, March 2023) at 14 Gbit/s give 280.
    KnownGpu("NVIDIA RTX 4000 SFF Ada Generation", "10de:27b0", "8.9", 20, 280, f"{_BOARD}: 160 bit x 14 Gbit/s"),
    KnownGpu("NVIDIA RTX 4000 Ada Generation", "10de:27b2", "8.9", 20, 360, f"{_BOARD}: 160 bit x 18 Gbit/s"),
    KnownGpu("NVIDIA RTX 6000 Ada Generation", "10de:26b1", "8.9", 48, 960, f"{_BOARD}: 384 bit x 20 Gbit/s"),
    KnownGpu("NVIDIA L4", "10de:27b8", "8.9", 24, 300, f"{_BOARD}: 192 bit"),
    KnownGpu("NVIDIA L40S", "10de:26b9", "8.9", 48, 864, f"{_CLOCK}: 384 bit x 2 x 9001 MHz"),
    KnownGpu("NVIDIA H100 PCIe", "10de:2331", "9.0", 80, 2039, _BOARD),
    KnownGpu("NVIDIA H100 80GB HBM3", "10de:2330", "9.0", 80, 3352, f"{_CLOCK}: 5120 bit x 2 x 2619 MHz"),
    KnownGpu("NVIDIA H100 NVL", "10de:2321", "9.0", 94, 3938, _BOARD),
    KnownGpu("NVIDIA H200", "10de:2335", "9.0", 141, 4800, f"{_BOARD}; 6144 bit x 2 x 3201 MHz would be 4917"),
    KnownGpu("NVIDIA B200", "10de:2901", "10.0", 180, 7672, "pytorch/ao#4002: 7680 bit x 2 x 3996 MHz"),
    KnownGpu("NVIDIA GeForce RTX 5090", "10de:2b85", "12.0", 32, 1792, f"{_CLOCK}: 512 bit x 2 x 14001 MHz"),
    KnownGpu(
        "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        "10de:2bb1",
        "12.0",
        96,
        1792,
        f"{_CLOCK}: 512 bit x 2 x 14001 MHz",
    ),
    KnownGpu("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "10de:2bb4", "12.0", 96, 1792, _BOARD),
    KnownGpu("NVIDIA RTX PRO 6000 Blackwell Server Edition", "10de:2bb5", "12.0", 96, 1597, _BOARD),
)
_BY_PCI_ID = {known.pci_id: known for known in KNOWN_GPUS}
_BY_NAME = {known.name: known for known in KNOWN_GPUS}


def known_gpu(gpu: Mapping[str, Any]) -> KnownGpu | None:
    """The row of the table for a GPU, by its PCI id or else by its name."""
    return _BY_PCI_ID.get(gpu.get("pci_id", "")) or _BY_NAME.get(gpu.get("name", ""))


def peak_bandwidth(gpu: Mapping[str, Any]) -> PeakBandwidth:
    """From bus width and clock where the driver tells both and they are plausible, else from the table."""
    known = known_gpu(gpu)
    fallback = PeakBandwidth(
        known.bytes_per_second if known else None,
        f"table of known GPUs: {known.source}" if known else "",
        from_table=known is not None,
    )
    bits, mhz = gpu.get("memory_bus_width_bits"), gpu.get("clock_memory_max_mhz")
    if not bits or not mhz:
        return fallback
    computed = TRANSFERS_PER_CLOCK * mhz * 10**6 * bits // BITS_PER_BYTE
    basis = f"{TRANSFERS_PER_CLOCK} x {mhz} MHz x {bits} bit / {BITS_PER_BYTE}"
    doubt = _doubt(computed, basis, known)
    if doubt:
        return PeakBandwidth(fallback.bytes_per_second, fallback.basis, fallback.from_table, doubt)
    return PeakBandwidth(computed, basis)


def _doubt(computed: int, basis: str, known: KnownGpu | None) -> str:
    least, most = PLAUSIBLE_BYTES_PER_SECOND
    said = f"the driver's figures give {computed / 10**9:.0f} GB/s ({basis})"
    if not least <= computed <= most:
        return f"{said}, which no GPU has"
    if known is not None:
        low, high = (known.bytes_per_second * ratio for ratio in PLAUSIBLE_RATIO)
        if not low <= computed <= high:
            return f"{said}, the table of known GPUs says {known.gigabytes_per_second} GB/s ({known.source})"
    return ""
