# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import nvidia_smi, nvml_errors
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import GPU_FIELDS
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvidia_smi import (
    H200_BUSY,
    H200_PROCESSES,
    MISMATCH,
    NOT_LOADED,
    RTX_4080_SUPER_IDLE,
    fake_nvidia_smi,
)

MIB = 2**20


def test_a_recorded_gpu(tmp_path: Path) -> None:
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, H200_BUSY, processes=H200_PROCESSES))
    assert reading.failures == [] and reading.driver == {"version": "590.48.01"}
    assert reading.gpus == [
        {
            "index": 0,
            "uuid": "GPU-00000000-0000-0000-0000-000000000000",
            "name": "NVIDIA H200",
            "pci_address": "0000:83:00.0",
            "pci_id": "10de:2335",
            "compute_capability": "9.0",
            "memory_total_bytes": 143771 * MIB,
            "memory_reserved_bytes": 614 * MIB,
            "memory_used_bytes": 32362 * MIB,
            "memory_free_bytes": 110796 * MIB,
            "clock_memory_mhz": 3201,
            "clock_memory_max_mhz": 3201,
            "clock_sm_mhz": 1980,
            "clock_sm_max_mhz": 1980,
            "throttle_reasons": [],
            "power_draw_watts": 627.4,
            "power_limit_watts": 700.0,
            "power_limit_default_watts": 700.0,
            "power_limit_max_watts": 700.0,
            "temperature_celsius": 52,
            "utilization_percent": 100,
            "persistence_mode": True,
            "ecc_mode": True,
            "mig_mode": False,
            "processes": [
                {"pid": 10291, "memory_bytes": 2566 * MIB},
                {"pid": 10293, "memory_bytes": 1542 * MIB},
            ],
        }
    ]
    assert reading.gpus[0].keys() < set(GPU_FIELDS)


def test_two_gpus_and_values_that_one_of_them_does_not_have(tmp_path: Path) -> None:
    gpus = (RTX_4080_SUPER_IDLE, {**H200_BUSY, "index": "1", "utilization.gpu": "[Not Supported]"})
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, *gpus, processes=H200_PROCESSES))
    geforce, h200 = reading.gpus
    assert reading.failures == []
    assert not geforce.keys() & {"ecc_mode", "mig_mode"} and "utilization_percent" not in h200
    assert geforce["throttle_reasons"] == ["gpu_idle"] and geforce["persistence_mode"] is False
    assert (geforce["processes"], len(h200["processes"])) == ([], 2)


def test_the_name_of_a_field_before_driver_535(tmp_path: Path) -> None:
    command = fake_nvidia_smi(tmp_path, RTX_4080_SUPER_IDLE, unknown=["clocks_event_reasons.active"])
    reading = nvidia_smi.read(command)
    assert reading.gpus[0]["throttle_reasons"] == ["gpu_idle"] and reading.failures == []


def test_a_field_that_this_release_does_not_know(tmp_path: Path) -> None:
    unknown = ["compute_cap", "clocks_event_reasons.active", "clocks_throttle_reasons.active", "memory.reserved"]
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, RTX_4080_SUPER_IDLE, unknown=unknown))
    (gpu,) = reading.gpus
    assert not gpu.keys() & {"compute_capability", "throttle_reasons", "memory_reserved_bytes"}
    assert gpu["name"] == "NVIDIA GeForce RTX 4080 SUPER" and gpu["memory_used_bytes"] == 596 * MIB


@pytest.mark.parametrize(
    ("said", "exit_code", "code"),
    [
        (NOT_LOADED, 9, nvml_errors.DRIVER_NOT_LOADED),
        (MISMATCH, 18, nvml_errors.LIB_RM_VERSION_MISMATCH),
        ("No devices were found\n", 6, nvml_errors.NOT_FOUND),
        ("No devices were found\n", 0, nvml_errors.NOT_FOUND),
        ("Failed to initialize NVML: Insufficient Permissions\n", 255, nvml_errors.NO_PERMISSION),
        ("Failed to initialize NVML: Unknown Error\n", 255, nvml_errors.UNKNOWN),
        (
            "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display "
            "Driver is properly installed and present in your system.\n",
            12,
            nvml_errors.LIBRARY_NOT_FOUND,
        ),
        (
            "Unable to determine the device handle for GPU0000:02:00.0: GPU is lost.  Reboot the system to recover "
            "this GPU\n",
            15,
            nvml_errors.GPU_IS_LOST,
        ),
        ("words from the future\n", 14, 14),
        ("words from the future\n", 0, nvml_errors.UNKNOWN),
        ("", 0, nvml_errors.UNKNOWN),
        ("", -11, nvml_errors.UNKNOWN),
    ],
)
def test_what_goes_wrong_is_recognised(tmp_path: Path, said: str, exit_code: int, code: int) -> None:
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, said=said, code=exit_code))
    (failure,) = reading.failures
    assert (reading.gpus, failure.code) == ([], code)
    assert failure.seen.startswith("nvidia-smi: ") and "\n" not in failure.seen
    assert said.split("\n")[0].rstrip(".") in failure.seen


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[GPU requires reset]", nvml_errors.RESET_REQUIRED),
        ("[GPU is lost]", nvml_errors.GPU_IS_LOST),
        ("[Unknown Error]", nvml_errors.UNKNOWN),
        ("[Insufficient Permissions]", nvml_errors.NO_PERMISSION),
    ],
)
def test_an_error_in_place_of_a_value(tmp_path: Path, text: str, code: int) -> None:
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, {**H200_BUSY, "utilization.gpu": text}))
    assert [failure.code for failure in reading.failures] == [code]
    assert f"utilization.gpu of GPU 0 is {text}" in reading.failures[0].seen
    assert "utilization_percent" not in reading.gpus[0] and reading.gpus[0]["temperature_celsius"] == 52


@pytest.mark.parametrize("field", ["uuid", "name", "compute_cap", "persistence_mode", "mig.mode.current"])
def test_an_error_is_never_taken_for_text(tmp_path: Path, field: str) -> None:
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, {**H200_BUSY, field: "[Unknown Error]"}))
    assert [failure.code for failure in reading.failures] == [nvml_errors.UNKNOWN]
    assert "[Unknown Error]" not in reading.gpus[0].values()


def test_a_process_whose_memory_is_not_told(tmp_path: Path) -> None:
    uuid = H200_BUSY["uuid"]
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, H200_BUSY, processes=[f"{uuid}, 7, [N/A]"]))
    assert reading.gpus[0]["processes"] == [{"pid": 7, "memory_bytes": None}]


@pytest.mark.parametrize("row", ["[Insufficient Permissions]", "GPU-0, [N/A], 5"])
def test_processes_that_are_not_told_are_unknown_and_not_none(tmp_path: Path, row: str) -> None:
    reading = nvidia_smi.read(fake_nvidia_smi(tmp_path, H200_BUSY, processes=[*H200_PROCESSES, row]))
    assert len(reading.failures) == 1 and "processes" not in reading.gpus[0]


def test_a_machine_without_nvidia_smi_has_nothing_to_say() -> None:
    reading = nvidia_smi.read("no-such-nvidia-smi")
    assert (reading.gpus, reading.failures) == ([], [])


def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(nvidia_smi, "_TIMEOUT_SECONDS", 0.2)
    (failure,) = nvidia_smi.read(str(script)).failures
    assert failure.code == nvml_errors.TIMEOUT and "no answer within 0.2 s" in failure.seen


def test_one_that_cannot_be_run(tmp_path: Path) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    (failure,) = nvidia_smi.read(str(script)).failures
    assert failure.code == nvml_errors.OPERATING_SYSTEM
