# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import DRIVER_FIELDS, GPU_FIELDS
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_state import GpuState, look
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvml_errors import NvmlError
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvidia_smi import (
    H200_BUSY,
    MISMATCH,
    NOT_LOADED,
    RTX_4080_SUPER_IDLE,
    fake_nvidia_smi,
)
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvml import H200, SFF_ADA, Code, FakeNvml, Gpu
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_sysfs import (
    H200_ID,
    UNKNOWN_ID,
    add_pci_device,
    add_process,
    load_nvidia_module,
)

SFF_ADDRESS, H200_ADDRESS = "0000:01:00.0", "0000:83:00.0"
PEAK = "peak_bandwidth_bytes_per_second"
NO_LIBRARY = NvmlError(12, "NVML", "libnvidia-ml.so.1: cannot open shared object file")


def without_nvml() -> Any:
    raise NO_LIBRARY


def healthy(root: Path) -> Path:
    """A node whose two GPUs have their driver."""
    add_pci_device(root, SFF_ADDRESS, driver="nvidia")
    add_pci_device(root, H200_ADDRESS, H200_ID, driver="nvidia", device_class="0x030200")
    load_nvidia_module(root, "595.91.07")
    add_process(root, 4242, "python3")
    return root


def look_at(root: Path, *gpus: Gpu, smi: str = "no-such-nvidia-smi", **nvml: Any) -> GpuState:
    return look(root, lambda: FakeNvml(*gpus, **nvml), smi)


def only(problems: list[Cause]) -> Cause:
    (problem,) = problems
    return problem


def test_a_healthy_node(tmp_path: Path) -> None:
    state = look_at(healthy(tmp_path), SFF_ADA, H200)
    ada, h200 = state.gpus
    assert state.problems == []
    assert state.summary == "NVIDIA RTX 4000 SFF Ada Generation, 280 GB/s (nvml); NVIDIA H200, 4917 GB/s (nvml)"
    assert (ada["index"], ada["pci_address"], ada["kernel_driver"]) == (0, SFF_ADDRESS, "nvidia")
    assert (ada[PEAK], ada["peak_bandwidth_basis"]) == (280_040_000_000, "2 x 7001 MHz x 160 bit / 8")
    assert ada["mig_mode"] is None and "mig_mode" not in ada["sources"]
    assert (h200["index"], h200["mig_mode"], h200["processes"]) == (1, False, [])
    assert state.driver == {
        "version": "595.91.07",
        "cuda_version": "13.2",
        "kernel_module_version": "595.91.07",
        "open_kernel_module": True,
        "sources": {
            "version": "nvml",
            "cuda_version": "nvml",
            "kernel_module_version": "sysfs",
            "open_kernel_module": "sysfs",
        },
    }


def test_each_value_says_where_it_came_from(tmp_path: Path) -> None:
    for gpu in look_at(healthy(tmp_path), SFF_ADA, H200).gpus:
        known = {field for field in GPU_FIELDS if gpu[field] is not None}
        assert gpu["sources"].keys() == known and gpu.keys() == {*GPU_FIELDS, "sources"}
        assert {field for field in known if gpu["sources"][field] != "nvml"} == {"kernel_driver"}


def test_processes_have_names_and_no_command_lines(tmp_path: Path) -> None:
    state = look_at(healthy(tmp_path), SFF_ADA, H200)
    assert [(process["pid"], process["name"]) for process in state.gpus[0]["processes"]] == [
        (4242, "python3"),
        (4243, None),
    ]
    assert "canary-4711" not in json.dumps(state.as_dict())


def test_nvidia_smi_is_not_asked_where_nvml_knows(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, said="must not be asked", code=1)
    assert look_at(healthy(tmp_path), SFF_ADA, H200, smi=smi).problems == []


def test_nvidia_smi_fills_what_nvml_could_not_be_asked(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, H200_BUSY)
    add_pci_device(tmp_path, H200_ADDRESS, H200_ID, driver="nvidia")
    state = look_at(tmp_path, H200, smi=smi, missing=["nvmlDeviceGetPowerUsage", "nvmlSystemGetDriverVersion"])
    (gpu,) = state.gpus
    assert (gpu["power_draw_watts"], gpu["sources"]["power_draw_watts"]) == (627.4, "nvidia-smi")
    assert (gpu["temperature_celsius"], gpu["sources"]["temperature_celsius"]) == (41, "nvml")
    assert (state.driver["version"], state.driver["sources"]["version"]) == ("590.48.01", "nvidia-smi")
    assert state.problems == []


def test_nvidia_smi_alone_leaves_the_bandwidth_to_the_table(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, H200_BUSY)
    add_pci_device(tmp_path, H200_ADDRESS, H200_ID, driver="nvidia")
    state = look(tmp_path, without_nvml, smi)
    (gpu,) = state.gpus
    assert (gpu["clock_memory_max_mhz"], gpu["memory_bus_width_bits"]) == (3201, None)
    assert (gpu[PEAK], gpu["sources"][PEAK]) == (4800 * 10**9, "table")
    assert state.summary == "NVIDIA H200, 4800 GB/s (table)"
    assert "ldconfig" in only(state.problems).fix


def test_bus_width_from_nvml_and_clock_from_nvidia_smi(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, H200_BUSY)
    (gpu,) = look_at(tmp_path, H200, smi=smi, missing=["nvmlDeviceGetMaxClockInfo"]).gpus
    assert gpu["sources"]["clock_memory_max_mhz"] == "nvidia-smi"
    assert (gpu[PEAK], gpu["sources"][PEAK]) == (4_916_736_000_000, "nvml")


def test_a_gpu_that_nobody_knows_has_no_bandwidth(tmp_path: Path) -> None:
    state = look(tmp_path, without_nvml, fake_nvidia_smi(tmp_path, RTX_4080_SUPER_IDLE))
    assert state.gpus[0][PEAK] is None and PEAK not in state.gpus[0]["sources"]
    assert state.summary == "NVIDIA GeForce RTX 4080 SUPER, peak bandwidth unknown"


def test_no_gpu_is_a_result_that_says_so(tmp_path: Path) -> None:
    state = look(tmp_path, without_nvml, "no-such-nvidia-smi")
    assert (state.gpus, state.summary) == ([], "no NVIDIA GPU")
    assert state.driver == {**dict.fromkeys(DRIVER_FIELDS), "sources": {}}
    problem = only(state.problems)
    assert problem.symptom.startswith("no NVIDIA GPU on the PCI bus") and problem.confidence == "certain"


def test_a_driver_without_a_gpu_says_the_same(tmp_path: Path) -> None:
    assert only(look_at(tmp_path).problems).symptom.startswith("no NVIDIA GPU on the PCI bus")


def test_a_gpu_without_a_driver_is_known_by_its_id(tmp_path: Path) -> None:
    add_pci_device(tmp_path, SFF_ADDRESS)
    state = look(tmp_path, without_nvml, "no-such-nvidia-smi")
    (gpu,) = state.gpus
    assert {field: gpu[field] for field in gpu["sources"]} == {
        "name": "NVIDIA RTX 4000 SFF Ada Generation",
        "pci_address": SFF_ADDRESS,
        "pci_id": "10de:27b0",
        "compute_capability": "8.9",
        "memory_total_bytes": 20 << 30,
        PEAK: 280 * 10**9,
        "peak_bandwidth_basis": gpu["peak_bandwidth_basis"],
    }
    assert gpu["sources"] == {
        "name": "table",
        "pci_address": "sysfs",
        "pci_id": "sysfs",
        "compute_capability": "table",
        "memory_total_bytes": "table",
        PEAK: "table",
        "peak_bandwidth_basis": "table",
    }


@pytest.mark.parametrize(
    ("driver", "module", "seen", "means", "fix"),
    [
        (None, None, "no kernel driver is bound", "not installed", "dkms status"),
        (None, "595.91.07", "though nvidia 595.91.07 is loaded", "does not take this GPU", "flavour"),
        ("nouveau", None, "driver nouveau is bound", "cannot run CUDA", "blacklist nouveau"),
        ("NovaCore", None, "driver NovaCore is bound", "cannot run CUDA", "blacklist nova_core"),
        ("vfio-pci", "595.91.07", "driver vfio-pci is bound", "virtual machine", "vfio-pci's settings"),
        ("odd", None, "driver odd is bound", "other than NVIDIA's", "Keep odd out"),
    ],
)
def test_a_gpu_that_nvidias_driver_does_not_have(
    tmp_path: Path, driver: str | None, module: str | None, seen: str, means: str, fix: str
) -> None:
    add_pci_device(tmp_path, SFF_ADDRESS, driver=driver)
    if module:
        load_nvidia_module(tmp_path, module)
    smi = fake_nvidia_smi(tmp_path, said=NOT_LOADED, code=9)
    state = look_at(tmp_path, smi=smi, nvmlInit_v2=Code(9))
    problem = only(state.problems)  # that NVML cannot do its work either is no news
    assert problem.symptom.startswith(f"GPU {SFF_ADDRESS} (NVIDIA RTX 4000 SFF Ada Generation): ")
    assert seen in problem.symptom and means in problem.cause and fix in problem.fix
    assert state.gpus[0]["kernel_driver"] == driver


def test_one_gpu_set_aside_and_one_in_use(tmp_path: Path) -> None:
    add_pci_device(tmp_path, SFF_ADDRESS, driver="vfio-pci")
    add_pci_device(tmp_path, H200_ADDRESS, H200_ID, driver="nvidia")
    state = look_at(tmp_path, H200)
    assert [(gpu["index"], gpu["pci_address"]) for gpu in state.gpus] == [(0, H200_ADDRESS), (None, SFF_ADDRESS)]
    assert "vfio-pci" in only(state.problems).symptom


def test_libraries_and_module_of_different_versions(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, said=MISMATCH, code=18)
    state = look_at(healthy(tmp_path), SFF_ADA, H200, smi=smi, nvmlInit_v2=Code(18))
    problem = only(state.problems)
    assert problem.symptom.endswith("(LIB_RM_VERSION_MISMATCH); the loaded kernel module is 595.91.07")
    assert "Reboot" in problem.fix and problem.confidence == "certain"
    assert (state.driver["version"], state.driver["kernel_module_version"]) == (None, "595.91.07")
    assert [gpu["name"] for gpu in state.gpus] == ["NVIDIA RTX 4000 SFF Ada Generation", "NVIDIA H200"]


def test_the_driver_is_bound_and_its_library_missing(tmp_path: Path) -> None:
    problem = only(look(healthy(tmp_path), without_nvml, "no-such-nvidia-smi").problems)
    assert "cannot open shared object file" in problem.symptom and "libnvidia-ml.so.1" in problem.fix


def test_a_failure_inside_a_container_is_told_although_no_bus_is_seen(tmp_path: Path) -> None:
    state = look_at(tmp_path, nvmlInit_v2=Code(999))
    assert ["recreate the container" in problem.fix for problem in state.problems] == [False, True]


def test_where_only_nvidia_smi_is_seen_the_missing_library_is_told(tmp_path: Path) -> None:
    state = look(tmp_path, without_nvml, fake_nvidia_smi(tmp_path, H200_BUSY))  # a container without sysfs
    assert state.gpus[0]["kernel_driver"] is None and "libnvidia-ml.so.1" in only(state.problems).symptom


def test_a_gpu_that_fell_off_the_bus(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, said="Unable to determine the device handle: GPU is lost.", code=15)
    lost = {0: Code(15)}
    state = look_at(healthy(tmp_path), SFF_ADA, H200, smi=smi, nvmlDeviceGetHandleByIndex_v2=lost)
    assert "fallen off the bus" in only(state.problems).cause
    assert [gpu["index"] for gpu in state.gpus] == [1, None]


def test_a_gpu_that_the_driver_does_not_offer(tmp_path: Path) -> None:
    problem = only(look_at(healthy(tmp_path), SFF_ADA).problems)
    assert H200_ADDRESS in problem.symptom and "does not offer it" in problem.symptom


def test_several_values_that_fail_alike_are_one_problem(tmp_path: Path) -> None:
    denied = {**SFF_ADA, "nvmlDeviceGetPowerUsage": Code(4), "nvmlDeviceGetTemperatureV": Code(4)}
    problem = only(look_at(tmp_path, denied).problems)
    assert "GPU 0, nvmlDeviceGetPowerUsage" in problem.symptom and "become" in problem.fix


def test_what_only_nvidia_smi_complains_about(tmp_path: Path) -> None:
    smi = fake_nvidia_smi(tmp_path, {**H200_BUSY, "temperature.gpu": "[GPU requires reset]"})
    problem = only(look_at(tmp_path, H200, smi=smi, missing=["nvmlDeviceGetPowerUsage"]).problems)
    assert "[GPU requires reset]" in problem.symptom


def test_a_bandwidth_that_cannot_be_is_replaced_and_told(tmp_path: Path) -> None:
    state = look_at(tmp_path, {**SFF_ADA, "nvmlDeviceGetMemoryBusWidth": 320})
    assert (state.gpus[0][PEAK], state.gpus[0]["sources"][PEAK]) == (280 * 10**9, "table")
    problem = only(state.problems)
    assert "560 GB/s" in problem.symptom and "280 GB/s" in problem.symptom and "table" in problem.cause


def test_a_bandwidth_that_cannot_be_of_a_gpu_that_nobody_knows(tmp_path: Path) -> None:
    odd = {
        **SFF_ADA,
        "nvmlDeviceGetName": "NVIDIA Unheard-of",
        "nvmlDeviceGetPciInfo_v3": ("00000000:01:00.0", int(UNKNOWN_ID, 16) << 16 | 0x10DE),
        "nvmlDeviceGetMemoryBusWidth": 2**20,
    }
    state = look_at(tmp_path, odd)
    assert state.gpus[0][PEAK] is None and "which no GPU has" in only(state.problems).symptom


def test_mig_is_pointed_out(tmp_path: Path) -> None:
    problem = only(look_at(tmp_path, {**H200, "nvmlDeviceGetMigMode": (1, 1)}).problems)
    assert "MIG is on" in problem.symptom and problem.confidence == "possible"
