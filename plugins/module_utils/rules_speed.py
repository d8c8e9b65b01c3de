# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on a server that decodes too slowly: what holds it back, from its log, its arguments and its GPUs.

They are asked only when the measurement objects to the speed: a power cap on a fast server is no cause of anything.
Each GPU is seen as it was while the server decoded, where it was looked at then (gpu_samples.py).
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving_gpus import (
    FIRST_OF_SEVERAL,
    gpu_label,
    working_processes,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.throttle_reasons import IDLE
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Gpu, Setup

_THERMAL = ("hw_thermal_slowdown", "sw_thermal_slowdown")
_BRAKES = ("hw_slowdown", "hw_power_brake_slowdown")
_POWER = ("sw_power_cap",)
_CLOCKS_SET = ("applications_clocks_setting",)
# Method -> the first release that no longer forces its slow kernel.
_FORCED: dict[str, Release] = {"awq": (0, 24, 0), "gptq": (0, 20, 3)}
_FALLBACKS = ("not fully optimized yet", "unoptimized AWQ kernels", "Moe WNA16 kernels")
_EMULATIONS = ("Emulation", "does not have native support")
# Limits that are set in whole watts differ a little from the default.
_CAPPED = 0.97
_LOW_MEMORY_CLOCK = 0.8
# Many GPUs never reach their highest clock under load; half of it is held back by something.
_LOW_CLOCK = 0.5
_BUSY_PERCENT = 50
_ALIKE = 0.9


def on_the_cpu(setup: Setup) -> Cause | None:
    """GPUs are there, and the server computes on the CPU. Source: device_config in the log of vLLM 0.9.2 to 0.33.0."""
    if setup.log_facts.get("device") != "cpu" or not setup.gpus:
        return None
    return Cause(
        f"{setup.pace}, and the server's log names the CPU as its device, though {gpu_label(setup.gpus[0])} is there",
        "The server does not use the GPU: it is a CPU build of vLLM, or was told to use the CPU.",
        "Use an official CUDA image (vllm/vllm-openai), and give the container the GPU (vllm_accelerator: cuda).",
        CERTAIN,
    )


def forced_quantization(setup: Setup) -> Cause | None:
    """The slow kernel was asked for. Source: vllm-project/vllm#21376; awq_marlin.py of vLLM 0.9.2 to 0.23.0.

    gptq_marlin.py did the same up to 0.20.2 and no longer does in 0.22.1.
    """
    line = next((line for line in setup.log_facts.get("slow_kernels") or [] if "forcing " in line), None)
    asked = str(setup.arguments.get("quantization"))
    affected = setup.release is not None and setup.release < _FORCED.get(asked, (0, 0, 0))
    if line is None and not affected:
        return None
    method = "gptq" if "forcing gptq" in (line or "") else asked if asked in _FORCED else "awq"
    return Cause(
        f"{setup.pace}, and {f'the log says: {line}' if line else f'the server runs with --quantization {asked}'}",
        f"--quantization {method} forces a slow kernel in this release, although the GPU could run Marlin: an AWQ "
        "model decoded 23 instead of 123 tokens/s.",
        "Leave --quantization out: vLLM reads the method from the checkpoint and takes the fastest kernel for it.",
        CERTAIN if line else LIKELY,
    )


def unoptimized_kernel(setup: Setup) -> Cause | None:
    """Marlin was not used, or fell back. Source: the log and marlin_utils.py of vLLM 0.9.2 to 0.33.0; #20112."""
    line = _slow_line(setup, *_FALLBACKS)
    if line is None or forced_quantization(setup) is not None:  # which makes vLLM 0.9.2 and 0.10 say both
        return None
    return Cause(
        f"{setup.pace}, and the log says: {line}",
        "The weights are read by a kernel that is not the fast one (Marlin): the GPU is too old for it (it takes "
        "compute capability 7.5, before vLLM 0.14 8.0), or a layer has a shape that it does not take.",
        "Use a newer release of vLLM or a checkpoint of another method (GPTQ, or AWQ with group size 128); leave "
        "--quantization out.",
        LIKELY,
    )


def eager(setup: Setup) -> Cause | None:
    """Neither torch.compile nor CUDA graphs. Source: the log's "Enforce eager set", enforce_eager of the engine."""
    set_by_argument = setup.arguments.get("enforce-eager") is True
    if setup.log_facts.get("device") == "cpu" or not (set_by_argument or setup.log_facts.get("enforce_eager")):
        return None
    return Cause(
        f"{setup.pace}, in eager mode ({'--enforce-eager' if set_by_argument else 'so says the log'})",
        "Without CUDA graphs the CPU starts every kernel of every token anew, and the GPU waits for it.",
        "Leave --enforce-eager out. If graphs do not fit into the memory, lower --gpu-memory-utilization or "
        "--max-model-len, or capture fewer of them (--compilation-config).",
        LIKELY,
    )


def thermal(setup: Setup) -> Cause | None:
    """The GPU is too hot. Source: clocks event reasons of NVML, the thermal bits."""
    gpu = _with_reason(setup, *_THERMAL)
    if gpu is None:
        return None
    degrees = gpu.get("temperature_celsius")
    heat = "" if degrees is None else f" at {degrees} °C"
    return Cause(
        f"{setup.pace}, and {gpu_label(gpu)} has lowered its clocks for its heat{heat}{_looks(gpu, _THERMAL)}",
        "The GPU is too hot and protects itself.",
        "Look after its cooling: fans, dust, the air flow of the case, the room. nvidia-smi -q -d "
        "TEMPERATURE,PERFORMANCE shows when it ends.",
        LIKELY,
    )


def power_brake(setup: Setup) -> Cause | None:
    """The board is held back by its power supply. Source: clocks event reasons of NVML, slowdown without heat."""
    gpu = _with_reason(setup, *_BRAKES)
    if gpu is None or _with_reason(setup, *_THERMAL) is not None:
        return None
    return Cause(
        f"{setup.pace}, and the hardware of {gpu_label(gpu)} has lowered its clocks ({_reasons_told(gpu, _BRAKES)})"
        f"{_looks(gpu, _BRAKES)}",
        "The power supply or the board demands it: a missing power cable, a weak supply, or a limit of the chassis.",
        "Check cables and supply, and look for Xid messages: dmesg | grep -i xid.",
        LIKELY,
    )


def other_tenant(setup: Setup) -> Cause | None:
    """vLLM has one process on each GPU; another one with much memory is somebody else. Source: NVML's processes."""
    for gpu in setup.serving_gpus:
        if len(processes := working_processes(gpu)) > 1:
            other = processes[-1]
            name = f"{other.get('name') or 'unknown'}, process {other.get('pid')}"
            return Cause(
                f"{setup.pace}, and {len(processes)} processes share {gpu_label(gpu)}, one of them ({name}) with "
                f"{other['memory_bytes'] / 2**30:.1f} GiB",
                "Something besides this server uses the GPU and takes its time and its memory.",
                "See who it is with nvidia-smi and ps, and stop it or move it to another GPU.",
                LIKELY,
            )
    return None


def power_cap(setup: Setup) -> Cause | None:
    """Fewer watts than the GPU was made for. Source: NVML's power limits; the bit sw_power_cap says that it acts."""
    for gpu in setup.serving_gpus:
        limit, default = gpu.get("power_limit_watts"), gpu.get("power_limit_default_watts")
        if limit and default and limit < default * _CAPPED:
            return Cause(
                f"{setup.pace}, and {gpu_label(gpu)} may draw {limit:g} W; it was made for {default:g} W"
                f"{_looks(gpu, _POWER)}",
                "A power limit below the default keeps its clocks down.",
                f"Raise it with nvidia-smi -pl {default:g}, and look for what sets it when the node starts.",
                LIKELY if _acts(gpu, _POWER) else POSSIBLE,
            )
    return None


def power_reached(setup: Setup) -> Cause | None:
    """The board's own limit, reached by decoding. Source: the bit sw_power_cap and the clocks, under load."""
    for gpu in setup.serving_gpus:
        low = _low_clock(gpu, "sm", _LOW_CLOCK)
        if low and gpu.get("under_load") and _acts(gpu, _POWER) and power_cap(setup) is None:
            return Cause(
                f"{setup.pace}, and {gpu_label(gpu)} reaches its power limit of {gpu.get('power_limit_watts') or 0:g} W"
                f"{_looks(gpu, _POWER)}; its processors run at {low}",
                "Decoding reads, and needs little power. A kernel that computes much for what it reads does not, and "
                "the limit then keeps the clocks down; so may something else on this GPU.",
                "Look for a slow kernel in the server's log and for other processes. nvidia-smi -q -d POWER shows how "
                "far the limit can be raised.",
                POSSIBLE,
            )
    return None


def low_memory_clock(setup: Setup) -> Cause | None:
    """Busy, and the memory does not run at full clock; an idle GPU lowers it. Source: NVML's clocks."""
    for gpu in setup.serving_gpus:
        if _busy(gpu) and (low := _low_clock(gpu, "memory", _LOW_MEMORY_CLOCK)):
            return Cause(
                f"{setup.pace}, and the memory of {gpu_label(gpu)} runs at {low} though it is busy",
                "Decoding is as fast as the memory, and its clock is held down: a locked clock, or a low power state.",
                "Unlock the clocks: nvidia-smi -rmc, nvidia-smi -rgc and nvidia-smi -rac.",
                LIKELY,
            )
    return None


def low_clock(setup: Setup) -> Cause | None:
    """Busy, slow, and nothing is said to hold it back: a locked clock. Source: NVML's clocks (nvidia-smi -lgc)."""
    for gpu in setup.serving_gpus:
        reasons = set(gpu.get("throttle_reasons") or []) - {IDLE}
        if _busy(gpu) and not reasons and (low := _low_clock(gpu, "sm", _LOW_CLOCK)):
            return Cause(
                f"{setup.pace}, and the processors of {gpu_label(gpu)} run at {low} though it is busy",
                "Their clock is held down, and the driver names no reason: mostly it was locked.",
                "Unlock it with nvidia-smi -rgc, and look for what locks it when the node starts.",
                LIKELY,
            )
    return None


def clocks_set(setup: Setup) -> Cause | None:
    """Somebody has set the application clocks. Source: clocks event reasons of NVML."""
    gpu = _with_reason(setup, *_CLOCKS_SET)
    if gpu is None:
        return None
    return Cause(
        f"{setup.pace}, and the application clocks of {gpu_label(gpu)} limit it{_looks(gpu, _CLOCKS_SET)}",
        "The clocks that were set for applications may be lower than what the GPU can do.",
        "Compare them with nvidia-smi -q -d CLOCK; nvidia-smi -rac goes back to the defaults.",
        POSSIBLE,
    )


def unequal_gpus(setup: Setup) -> Cause | None:
    """The slowest of those that share each layer sets the pace. Source: the way tensor parallelism works."""
    peaks = [gpu.get("peak_bandwidth_bytes_per_second") for gpu in setup.serving_gpus]
    known = [peak for peak in peaks if peak]
    if len(known) < 2 or min(known) >= max(known) * _ALIKE:
        return None
    return Cause(
        f"{setup.pace}, and the GPUs that share the model have {min(known) / 1e9:.0f} to {max(known) / 1e9:.0f} GB/s",
        "With tensor parallelism all wait for the slowest, while the roofline counts what each could do.",
        "Use equal GPUs (CUDA_VISIBLE_DEVICES, device_ids in compose.yaml), or set verify_memory_bandwidth to the "
        "slowest one's, times their number.",
        LIKELY,
    )


def emulated_format(setup: Setup) -> Cause | None:
    """No native support for the number format. Source: the log of vLLM 0.9.2 to 0.33.0."""
    line = _slow_line(setup, *_EMULATIONS)
    if line is None:
        return None
    return Cause(
        f"{setup.pace}, and the log says: {line}",
        "This GPU does not compute in the checkpoint's number format; the weights are converted for every token.",
        "Use a checkpoint in a format that this GPU has: 4-bit AWQ or GPTQ everywhere, FP8 from compute capability 8.9 "
        "on, FP4 from 10.0 on.",
        POSSIBLE,
    )


def slow_attention(setup: Setup) -> Cause | None:
    """A faster attention backend was ruled out. Source: the log of vLLM 0.19.1 to 0.33.0."""
    line = _slow_line(setup, "reduced performance")
    if line is None:
        return None
    return Cause(
        f"{setup.pace}, and the log says: {line}",
        "An option, mostly --block-size, rules out the attention backend that vLLM would have preferred.",
        "Leave --block-size out.",
        POSSIBLE,
    )


def doubtful_roofline(setup: Setup) -> Cause | None:
    """The yardstick may be wrong. Source: where the bandwidth was learnt (serving_gpus.py, gpu_info)."""
    if not (setup.slow or (setup.throughput.get("efficiency") or 0) > 1):
        return None
    source = str((setup.throughput.get("roofline") or {}).get("memory_bandwidth_source") or "")
    peaks = {gpu.get("peak_bandwidth_bytes_per_second") for gpu in setup.gpus}
    if source.endswith(FIRST_OF_SEVERAL) and len(peaks) > 1:
        return Cause(
            f"the roofline is that of {', '.join(map(gpu_label, setup.serving_gpus))}, {FIRST_OF_SEVERAL}",
            "The GPUs of this machine differ, and neither the container nor the driver's list of processes tells which "
            "of them the server works on.",
            "Give the container its GPU by device_ids, or set verify_memory_bandwidth.",
            POSSIBLE,
        )
    if not source.startswith("table of known GPUs"):
        return None
    return Cause(
        f"the memory bandwidth is not the driver's word but a {source}",
        "The roofline rests on a figure that was not read from this very GPU; other boards of the name may be slower.",
        "Compare it with the GPU's data sheet, and set verify_memory_bandwidth.",
        POSSIBLE,
    )


# What explains the slowness, the most certain first.
RULES: tuple[Callable[[Setup], Cause | None], ...] = (
    on_the_cpu,
    forced_quantization,
    unoptimized_kernel,
    eager,
    thermal,
    power_brake,
    other_tenant,
    low_memory_clock,
    low_clock,
    power_cap,
    power_reached,
    unequal_gpus,
    clocks_set,
    emulated_format,
    slow_attention,
)


def _slow_line(setup: Setup, *phrases: str) -> str | None:
    lines = setup.log_facts.get("slow_kernels") or []
    return next((line for line in lines if any(phrase in line for phrase in phrases)), None)


def _with_reason(setup: Setup, *reasons: str) -> Gpu | None:
    return next((gpu for gpu in setup.serving_gpus if _acts(gpu, reasons)), None)


def _acts(gpu: Gpu, reasons: tuple[str, ...]) -> bool:
    return bool(set(reasons) & set(gpu.get("throttle_reasons") or []))


def _reasons_told(gpu: Gpu, reasons: tuple[str, ...]) -> str:
    return ", ".join(reason for reason in gpu["throttle_reasons"] if reason in reasons)


def _looks(gpu: Gpu, reasons: tuple[str, ...]) -> str:
    """In how many of the looks under load one of the reasons was there; nothing without such looks."""
    load = gpu.get("under_load") or {}
    times = max((load.get("throttle_reasons") or {}).get(reason, 0) for reason in reasons) if load else 0
    return f", in {times} of {load['samples']} looks while it decoded" if times else ""


def _busy(gpu: Gpu) -> bool:
    return (gpu.get("utilization_percent") or 0) >= _BUSY_PERCENT


def _low_clock(gpu: Gpu, domain: str, share: float) -> str:
    """How low it is, in words; empty where it is high enough or not known."""
    now, most = gpu.get(f"clock_{domain}_mhz"), gpu.get(f"clock_{domain}_max_mhz")
    return f"{now:g} of {most} MHz" if now and most and now < most * share else ""
