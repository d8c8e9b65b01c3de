# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one source says of the GPUs, in the form that all sources share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvml_errors import NOT_SUPPORTED, NvmlError

NVML, NVIDIA_SMI, SYSFS, TABLE = "nvml", "nvidia-smi", "sysfs", "table"

# What is known of a GPU, in the order in which it is returned; meanings and units are documented in gpu_info.
GPU_FIELDS = (
    "index",
    "uuid",
    "name",
    "pci_address",
    "pci_id",
    "kernel_driver",
    "compute_capability",
    "memory_total_bytes",
    "memory_reserved_bytes",
    "memory_used_bytes",
    "memory_free_bytes",
    "memory_bus_width_bits",
    "clock_memory_mhz",
    "clock_memory_max_mhz",
    "clock_sm_mhz",
    "clock_sm_max_mhz",
    "peak_bandwidth_bytes_per_second",
    "peak_bandwidth_basis",
    "throttle_reasons",
    "power_draw_watts",
    "power_limit_watts",
    "power_limit_default_watts",
    "power_limit_max_watts",
    "temperature_celsius",
    "utilization_percent",
    "persistence_mode",
    "ecc_mode",
    "mig_mode",
    "processes",
)
DRIVER_FIELDS = ("version", "cuda_version", "kernel_module_version", "open_kernel_module")


@dataclass
class Reading:
    """``gpus`` and ``driver`` hold what the source knows, by the fields above; what it does not know is absent.

    ``complete``: the source says how many GPUs there are, and all of them are among ``gpus``. ``failures`` are
    requests that failed for any other reason than that this GPU does not have the value.
    """

    source: str
    gpus: list[dict[str, Any]] = field(default_factory=list)
    driver: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    failures: list[NvmlError] = field(default_factory=list)

    def failed(self, error: NvmlError) -> None:
        """Note an error, unless it only says that there is no such value."""
        if error.code != NOT_SUPPORTED:
            self.failures.append(error)
