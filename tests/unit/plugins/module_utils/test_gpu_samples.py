# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import gpu_state
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_samples import GpuSamples, summarised, under_load
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvml import H200, SFF_ADA, FakeNvml, Gpu

IDLE = SFF_ADA
LOADED: Gpu = {
    **SFF_ADA,
    "nvmlDeviceGetClockInfo": {1: 900, 2: 7001},
    "nvmlDeviceGetCurrentClocksEventReasons": 0x4,
    "nvmlDeviceGetPowerUsage": 70000,
    "nvmlDeviceGetTemperatureV": 74,
    "nvmlDeviceGetUtilizationRates": (99, 80),
}
HOT: Gpu = {**LOADED, "nvmlDeviceGetCurrentClocksEventReasons": 0x44, "nvmlDeviceGetTemperatureV": 91}


def looks(root: Path, *moments: list[Gpu]) -> list[list[dict[str, Any]]]:
    """What gpu_state sees of the GPUs at one moment after the other."""
    return [look(root, *gpus).gpus for gpus in moments]


def look(root: Path, *gpus: Gpu) -> gpu_state.GpuState:
    return gpu_state.look(root, lambda: FakeNvml(*gpus), "no-such-nvidia-smi")


def test_what_an_idle_gpu_hides_is_seen_under_load(tmp_path: Path) -> None:
    (load,) = summarised(looks(tmp_path, [LOADED], [HOT], [LOADED], [IDLE]))
    assert (load["index"], load["name"], load["samples"]) == (0, "NVIDIA RTX 4000 SFF Ada Generation", 4)
    assert load["throttle_reasons"] == {"sw_power_cap": 4, "hw_thermal_slowdown": 1, "gpu_idle": 1}
    assert load["clock_memory_mhz"] == {"minimum": 405, "median": 7001, "maximum": 7001}
    assert load["clock_sm_mhz"] == {"minimum": 210, "median": 900, "maximum": 900}
    assert load["power_draw_watts"] == {"minimum": 12.345, "median": 70.0, "maximum": 70.0}
    assert load["temperature_celsius"] == {"minimum": 41, "median": 74, "maximum": 91}
    assert load["utilization_percent"]["median"] == 99


def test_two_gpus_are_told_apart(tmp_path: Path) -> None:
    loads = summarised(looks(tmp_path, [LOADED, H200], [LOADED, H200]))
    assert [(load["name"], load["samples"]) for load in loads] == [
        ("NVIDIA RTX 4000 SFF Ada Generation", 2),
        ("NVIDIA H200", 2),
    ]


def test_every_process_is_kept_with_the_most_that_it_held(tmp_path: Path) -> None:
    name = "nvmlDeviceGetComputeRunningProcesses_v3"
    moments = [{**LOADED, name: held} for held in ([(1, 5 << 30)], [(1, 6 << 30), (2, 3 << 30)], [(1, 4 << 30)])]
    (load,) = summarised(looks(tmp_path, *([moment] for moment in moments)))
    assert load["processes"] == [
        {"pid": 1, "name": None, "memory_bytes": 6 << 30},
        {"pid": 2, "name": None, "memory_bytes": 3 << 30},
    ]


def test_what_no_look_tells_is_null(tmp_path: Path) -> None:
    silent = {name: value for name, value in LOADED.items() if "Reasons" not in name and "Processes" not in name}
    (load,) = summarised(looks(tmp_path, [{**silent, "nvmlDeviceGetUtilizationRates": (0, 0)}]))
    assert (load["throttle_reasons"], load["processes"]) == (None, None)
    assert load["utilization_percent"] == {"minimum": 0, "median": 0, "maximum": 0}


def test_typical_figures_take_the_place_of_the_idle_ones(tmp_path: Path) -> None:
    (before,) = look(tmp_path, IDLE).gpus
    loads = summarised(looks(tmp_path, *[[LOADED]] * 7, [HOT]))
    seen = under_load(before, loads)
    assert (seen["clock_memory_mhz"], seen["clock_sm_mhz"], seen["utilization_percent"]) == (7001, 900, 99)
    # One look of eight is no reason for a slow run; the highest temperature is worth knowing all the same.
    assert (seen["throttle_reasons"], seen["temperature_celsius"]) == (["sw_power_cap"], 91)
    assert seen["clock_memory_max_mhz"] == 7001 and seen["under_load"] is loads[0]


def test_a_gpu_that_nobody_looked_at_stays_as_it_was(tmp_path: Path) -> None:
    (before,) = look(tmp_path, IDLE).gpus
    assert under_load(before, summarised(looks(tmp_path, [H200]))) == before


def test_looking_goes_on_until_the_end_of_the_block(tmp_path: Path) -> None:
    enough = threading.Event()
    seen: list[int] = []

    def sight() -> gpu_state.GpuState:
        seen.append(1)
        if len(seen) >= 3:
            enough.set()
        return look(tmp_path, LOADED)

    samples = GpuSamples(sight, seconds=0.001)
    with samples.watch():
        assert enough.wait(60)
    (load,) = samples.summary()
    assert load["samples"] == len(seen) >= 3


@pytest.mark.parametrize("gpus", [(), ({"nvmlDeviceGetUUID": "GPU-1"},)], ids=["none", "silent"])
def test_a_machine_that_tells_nothing_is_looked_at_once(tmp_path: Path, gpus: tuple[Gpu, ...]) -> None:
    seen: list[int] = []

    def sight() -> gpu_state.GpuState:
        seen.append(1)
        return look(tmp_path, *gpus)

    samples = GpuSamples(sight, seconds=0)
    watch = samples.watch()
    with watch:
        watch._thread.join(60)
    assert (samples.summary(), len(seen)) == ([], 1)
