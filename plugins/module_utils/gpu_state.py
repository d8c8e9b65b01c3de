# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The GPUs of this machine and their driver, from every source that has something to say, best source first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import gpu_problems, nvidia_smi, nvml, pci_gpus
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import (
    DRIVER_FIELDS,
    GPU_FIELDS,
    NVIDIA_SMI,
    TABLE,
    Reading,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.memory_bandwidth import known_gpu, peak_bandwidth
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB


@dataclass
class GpuState:
    """Each GPU and the driver have all fields, null where unknown, and ``sources``: which source a field is from."""

    gpus: list[dict[str, Any]]
    driver: dict[str, Any]
    problems: list[Cause]

    @property
    def summary(self) -> str:
        """One line for a terminal."""
        if not self.gpus:
            return "no NVIDIA GPU"
        return "; ".join(_described(gpu) for gpu in self.gpus)

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {
            "gpus": self.gpus,
            "driver": self.driver,
            "problems": [problem.as_dict() for problem in self.problems],
            "summary": self.summary,
        }


def look(
    root: Path = Path("/"),
    load_nvml: Callable[[], Any] = nvml.load_library,
    smi_command: str = nvidia_smi.COMMAND,
) -> GpuState:
    """Ask NVML, nvidia-smi for what NVML could not be asked, and the kernel; nothing that fails is raised.

    :param root: where sysfs and procfs are found.
    """
    bus = pci_gpus.read(root)
    library = nvml.read(load_nvml)
    # nvidia-smi asks NVML itself: where NVML answered everything, it has nothing to add.
    command = nvidia_smi.read(smi_command) if library.failures else Reading(NVIDIA_SMI)
    readings = (library, command, bus)
    gpus = _merged_gpus(readings)
    doubts = [_complete(gpu, root) for gpu in gpus]
    driver = _with_sources(DRIVER_FIELDS)
    for reading in readings:
        _fill(driver, reading.driver, reading.source)
    return GpuState(gpus, driver, gpu_problems.find(bus, library, command, gpus, doubts))


def _merged_gpus(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    gpus: dict[str, dict[str, Any]] = {}
    for reading in readings:
        for known in reading.gpus:
            key = known.get("pci_address") or known.get("uuid") or str(known.get("index"))
            _fill(gpus.setdefault(key, _with_sources(GPU_FIELDS)), known, reading.source)
    return sorted(gpus.values(), key=lambda gpu: (gpu["index"] is None, gpu["index"], str(gpu["pci_address"])))


def _with_sources(fields: Iterable[str]) -> dict[str, Any]:
    return {**dict.fromkeys(fields), "sources": {}}


def _fill(target: dict[str, Any], known: dict[str, Any], source: str) -> None:
    for field, value in known.items():
        if target[field] is None:
            target[field] = value
            target["sources"][field] = source


def _complete(gpu: dict[str, Any], root: Path) -> str:
    """Add what follows from the rest; returns why the driver's bandwidth was not believed, or nothing."""
    known = known_gpu(gpu)
    if known is not None:
        table = {"name": known.name, "pci_id": known.pci_id, "compute_capability": known.compute_capability}
        _fill(gpu, {**table, "memory_total_bytes": known.memory_gib * GIB}, TABLE)
    peak = peak_bandwidth(gpu)
    if peak.bytes_per_second is not None:
        source = TABLE if peak.from_table else gpu["sources"]["memory_bus_width_bits"]
        figures = {"peak_bandwidth_bytes_per_second": peak.bytes_per_second, "peak_bandwidth_basis": peak.basis}
        _fill(gpu, figures, source)
    for process in gpu["processes"] or []:
        process["name"] = _process_name(process["pid"], root)
    return peak.doubt


def _process_name(pid: int, root: Path) -> str | None:
    """Its short name; never its command line, which may hold secrets."""
    try:
        return (root / f"proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _described(gpu: dict[str, Any]) -> str:
    name = gpu["name"] or f"GPU {gpu['pci_id']}"
    peak = gpu["peak_bandwidth_bytes_per_second"]
    if peak is None:
        return f"{name}, peak bandwidth unknown"
    return f"{name}, {peak / 10**9:.0f} GB/s ({gpu['sources']['peak_bandwidth_bytes_per_second']})"
