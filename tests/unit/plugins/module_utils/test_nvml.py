# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvml, nvml_errors, nvml_structures
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import GPU_FIELDS, Reading
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvml import H200, SFF_ADA, Code, FakeNvml, Gpu

NOT_SUPPORTED = Code(nvml_errors.NOT_SUPPORTED)
MIB = 2**20


def read(*gpus: Gpu, **options: Any) -> Reading:
    return nvml.read(lambda: FakeNvml(*gpus, **options))


def test_everything_of_one_gpu() -> None:
    reading = read(SFF_ADA)
    assert reading.failures == [] and reading.complete
    assert reading.driver == {"version": "595.91.07", "cuda_version": "13.2"}
    assert reading.gpus == [
        {
            "index": 0,
            "uuid": "GPU-6c2a1f0e-8d3b-4b57-9c55-0f6f2f3f7a11",
            "name": "NVIDIA RTX 4000 SFF Ada Generation",
            "pci_address": "0000:01:00.0",
            "pci_id": "10de:27b0",
            "compute_capability": "8.9",
            "memory_total_bytes": 20475 * MIB,
            "memory_reserved_bytes": 500 * MIB,
            "memory_used_bytes": 975 * MIB,
            "memory_free_bytes": 19000 * MIB,
            "memory_bus_width_bits": 160,
            "clock_memory_mhz": 405,
            "clock_memory_max_mhz": 7001,
            "clock_sm_mhz": 210,
            "clock_sm_max_mhz": 2100,
            "throttle_reasons": ["gpu_idle", "sw_power_cap"],
            "power_draw_watts": 12.345,
            "power_limit_watts": 60.0,
            "power_limit_default_watts": 70.0,
            "power_limit_max_watts": 70.0,
            "temperature_celsius": 41,
            "utilization_percent": 7,
            "persistence_mode": True,
            "ecc_mode": True,
            "processes": [{"pid": 4242, "memory_bytes": 900 * MIB}, {"pid": 4243, "memory_bytes": None}],
        }
    ]


def test_two_gpus_keep_their_values_apart() -> None:
    reading = read(SFF_ADA, H200)
    assert reading.complete
    assert [(gpu["index"], gpu["name"], gpu["memory_bus_width_bits"]) for gpu in reading.gpus] == [
        (0, "NVIDIA RTX 4000 SFF Ada Generation", 160),
        (1, "NVIDIA H200", 6144),
    ]
    assert [gpu.get("mig_mode") for gpu in reading.gpus] == [None, False]
    assert [len(gpu["processes"]) for gpu in reading.gpus] == [2, 0]


def test_the_library_is_released() -> None:
    library = FakeNvml(SFF_ADA)
    nvml.read(lambda: library)
    assert (library.calls[0], library.calls[-1]) == ("nvmlInit_v2", "nvmlShutdown")


def test_what_a_gpu_does_not_have_is_left_out_and_no_failure() -> None:
    spartan = {function: NOT_SUPPORTED for function in SFF_ADA}
    reading = read(spartan)
    assert reading.gpus == [{"index": 0}] and reading.failures == [] and reading.complete


LOST_ANYWAY = ("nvmlDeviceGetMigMode",)  # this GPU has none


@pytest.mark.parametrize("function", sorted(SFF_ADA))
def test_one_value_that_fails_leaves_the_others(function: str) -> None:
    complete, reading = read(SFF_ADA).gpus[0], read({**SFF_ADA, function: Code(nvml_errors.NO_PERMISSION)})
    said = {(failure.code, failure.where) for failure in reading.failures}
    assert said == {(nvml_errors.NO_PERMISSION, f"GPU 0, {function}")}
    lost = complete.keys() - reading.gpus[0].keys()
    assert 0 < len(lost) <= 4 or function in LOST_ANYWAY
    assert reading.gpus[0].items() <= complete.items()


@pytest.mark.parametrize(
    ("code", "name", "means", "fix"),
    [
        (4, "NO_PERMISSION", "may not talk", "become"),
        (9, "DRIVER_NOT_LOADED", "not loaded", "modprobe nvidia"),
        (12, "LIBRARY_NOT_FOUND", "cannot be loaded", "ldconfig"),
        (15, "GPU_IS_LOST", "fallen off the bus", "Reboot"),
        (18, "LIB_RM_VERSION_MISMATCH", "different versions", "Reboot"),
        (28, "GPU_NOT_FOUND", "finds no GPU", "dmesg"),
        (999, "UNKNOWN", "does not say why", "recreate the container"),
        (4711, "unknown to this collection", "refuses", "dmesg"),
    ],
)
def test_an_initialisation_that_fails_says_what_it_means(code: int, name: str, means: str, fix: str) -> None:
    library = FakeNvml(SFF_ADA, nvmlInit_v2=Code(code))
    reading = nvml.read(lambda: library)
    assert (reading.gpus, reading.driver, reading.complete, library.calls) == ([], {}, False, ["nvmlInit_v2"])
    (failure,) = reading.failures
    assert failure.seen == f"nvmlInit_v2: NVML error {code} ({name})"
    assert means in failure.means and fix in failure.fix


def test_every_code_of_nvml_has_a_name_and_advice() -> None:
    for code in (*range(1, 31), 999):
        error = nvml_errors.NvmlError(code, "here")
        assert error.name.isupper() and error.means.endswith(".") and error.fix.endswith(".")


def test_a_lost_gpu_does_not_hide_the_other() -> None:
    reading = read(SFF_ADA, H200, nvmlDeviceGetHandleByIndex_v2={0: Code(nvml_errors.GPU_IS_LOST)})
    assert [gpu["name"] for gpu in reading.gpus] == ["NVIDIA H200"] and not reading.complete
    assert [failure.seen for failure in reading.failures] == [
        "GPU 0, nvmlDeviceGetHandleByIndex_v2: NVML error 15 (GPU_IS_LOST)"
    ]


def test_a_driver_without_gpus() -> None:
    reading = read()
    assert (reading.gpus, reading.failures, reading.complete) == ([], [], True)


def test_no_library_is_a_failure_in_the_words_of_the_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libno-such-library.so.1")
    (failure,) = nvml.read().failures
    assert failure.code == nvml_errors.LIBRARY_NOT_FOUND and "libno-such-library.so.1" in failure.seen


NEWER = {
    "nvmlDeviceGetMemoryInfo_v2": {"nvmlDeviceGetMemoryInfo": (20475 * MIB, 19000 * MIB, 1475 * MIB)},
    "nvmlDeviceGetCurrentClocksEventReasons": {"nvmlDeviceGetCurrentClocksThrottleReasons": 0x40},
    "nvmlDeviceGetTemperatureV": {"nvmlDeviceGetTemperature": {0: 55}},
}
OLDER: Gpu = {function: answer for older in NEWER.values() for function, answer in older.items()}


@pytest.mark.parametrize("how", ["missing", "refused"])
def test_older_drivers_know_the_older_functions(how: str) -> None:
    gpu: Gpu = {**SFF_ADA, **OLDER}
    if how == "missing":
        reading = read(gpu, missing=list(NEWER))
    else:
        reading = read({**gpu, **dict.fromkeys(NEWER, Code(nvml_errors.ARGUMENT_VERSION_MISMATCH))})
    assert reading.failures == []
    (seen,) = reading.gpus
    assert "memory_reserved_bytes" not in seen and seen["memory_used_bytes"] == 1475 * MIB
    assert (seen["throttle_reasons"], seen["temperature_celsius"]) == (["hw_thermal_slowdown"], 55)


def test_a_function_that_the_driver_does_not_have_is_a_failure_to_be_made_good() -> None:
    reading = read(SFF_ADA, missing=["nvmlDeviceGetMemoryBusWidth"])
    assert [failure.code for failure in reading.failures] == [nvml_errors.FUNCTION_NOT_FOUND]
    assert "memory_bus_width_bits" not in reading.gpus[0]


def test_a_process_that_computes_and_draws_counts_once() -> None:
    both = {**SFF_ADA, "nvmlDeviceGetGraphicsRunningProcesses_v3": [(4242, 900 * MIB), (77, 5 * MIB)]}
    assert [process["pid"] for process in read(both).gpus[0]["processes"]] == [4242, 4243, 77]


@pytest.mark.parametrize("kept", ["Compute", "Graphics"])
def test_one_kind_of_processes_is_enough(kept: str) -> None:
    other = "Graphics" if kept == "Compute" else "Compute"
    gpu = {
        **SFF_ADA,
        f"nvmlDeviceGet{kept}RunningProcesses_v3": [(1, MIB)],
        f"nvmlDeviceGet{other}RunningProcesses_v3": NOT_SUPPORTED,
    }
    assert read(gpu).gpus[0]["processes"] == [{"pid": 1, "memory_bytes": MIB}]


def test_more_processes_than_there_is_room_for_are_a_failure() -> None:
    crowd = {**SFF_ADA, "nvmlDeviceGetComputeRunningProcesses_v3": [(pid, MIB) for pid in range(2000)]}
    reading = read(crowd)
    assert [failure.code for failure in reading.failures] == [nvml_errors.INSUFFICIENT_SIZE]
    assert "processes" not in reading.gpus[0]


def test_the_fake_has_every_field_that_nvml_can_tell() -> None:
    """Or the tests above would not notice one that is never asked for."""
    from_elsewhere = {"kernel_driver", "peak_bandwidth_bytes_per_second", "peak_bandwidth_basis"}
    assert read(H200).gpus[0].keys() == set(GPU_FIELDS) - from_elsewhere


STAND_IN = r"""
#include <string.h>
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gi, ci; } process;
typedef struct { char legacy[16]; unsigned int domain, bus, device, id, subsystem; char bus_id[32]; } pci;
static int device;
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) { strncpy(text, "595.91.07", size); return 0; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, int **handle) { *handle = &device + index; return 0; }
int nvmlDeviceGetName(int *handle, char *text, unsigned int size) {
  if (handle != &device) return 2;
  strncpy(text, "NVIDIA L4", size);
  return 0;
}
int nvmlDeviceGetPciInfo_v3(int *handle, pci *info) {
  info->domain = 0x10000; info->bus = 0xaf; info->device = 2; info->id = 0x27B810DE;
  strcpy(info->bus_id, "00010000:AF:02.0");
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetMemoryInfo_v2(int *handle, memory_v2 *memory) {
  if (memory->version != (sizeof(memory_v2) | 2u << 24)) return 25;
  memory->total = 24ull << 30; memory->reserved = 1ull << 30; memory->free = 20ull << 30;
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetMemoryBusWidth(int *handle, unsigned int *bits) { *bits = 192; return handle == &device ? 0 : 2; }
int nvmlDeviceGetMaxClockInfo(int *handle, int kind, unsigned int *mhz) {
  *mhz = kind == 2 ? 6251 : 2040;
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetComputeRunningProcesses_v3(int *handle, unsigned int *count, process *found) {
  if (*count < 2) return 7;
  *count = 2;
  found[0] = (process){101, 1ull << 30, -1, -1};
  found[1] = (process){102, 2ull << 30, -1, -1};
  return handle == &device ? 0 : 2;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on this machine")
def test_a_real_shared_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same through dlopen, with structures laid out by a C compiler."""
    source, library = tmp_path / "nvml.c", tmp_path / "libnvidia-ml.so.1"
    source.write_text(STAND_IN)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    monkeypatch.setattr(nvml, "LIBRARY", str(library))
    reading = nvml.read()
    assert reading.driver == {"version": "595.91.07"} and reading.complete
    assert reading.gpus == [
        {
            "index": 0,
            "name": "NVIDIA L4",
            "pci_address": "10000:af:02.0",
            "pci_id": "10de:27b8",
            "memory_total_bytes": 24 * 2**30,
            "memory_reserved_bytes": 2**30,
            "memory_used_bytes": 3 * 2**30,
            "memory_free_bytes": 20 * 2**30,
            "memory_bus_width_bits": 192,
            "clock_memory_max_mhz": 6251,
            "clock_sm_max_mhz": 2040,
        }
    ]
    assert {failure.code for failure in reading.failures} == {nvml_errors.FUNCTION_NOT_FOUND}


def test_structures_name_their_size_as_nvml_h_does() -> None:
    sizes = {
        nvml_structures.MemoryV2: 40,
        nvml_structures.TemperatureV1: 12,
        nvml_structures.ProcessInfo: 24,
        nvml_structures.PciInfo: 68,
    }
    assert {structure: ctypes.sizeof(structure) for structure in sizes} == sizes
