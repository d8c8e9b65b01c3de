# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on a server that decodes too slowly: what holds it back, from its log, its arguments and its GPUs.

They are asked only when the measurement objects to the speed: a power cap on a fast server is no cause of anything.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import (
    Gpu,
    Setup,
    gpu_label,
    working_processes,
)

_THERMAL = ("hw_thermal_slowdown", "sw_thermal_slowdown")
_BRAKES = ("hw_slowdown", "hw_power_brake_slowdown")
# Method -> the first release that no longer forces its slow kernel.
_FORCED: dict[str, Release] = {"awq": (0, 24, 0), "gptq": (0, 20, 3)}
_FALLBACKS = ("not fully optimized yet", "unoptimized AWQ kernels", "Moe WNA16 kernels")
_EMULATIONS = ("Emulation", "does not have native support")
# Limits that are set in whole watts differ a little from the default.
_CAPPED = 0.97
_LOW_CLOCK = 0.8
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
        f"{setup.pace}, and {gpu_label(gpu)} has lowered its clocks for its heat{heat}",
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
        f"{setup.pace}, and the hardware of {gpu_label(gpu)} has lowered its clocks ({_reasons_told(gpu, _BRAKES)})",
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
            acts = "sw_power_cap" in (gpu.get("throttle_reasons") or [])
            return Cause(
                f"{setup.pace}, and {gpu_label(gpu)} may draw {limit:g} W; it was made for {default:g} W",
                "A power limit below the default keeps its clocks down.",
                f"Raise it with nvidia-smi -pl {default:g}, and look for what sets it when the node starts.",
                LIKELY if acts else POSSIBLE,
            )
    return None


def low_memory_clock(setup: Setup) -> Cause | None:
    """Busy, and the memory does not run at full clock; an idle GPU lowers it. Source: NVML's clocks."""
    for gpu in setup.serving_gpus:
        now, most, busy = gpu.get("clock_memory_mhz"), gpu.get("clock_memory_max_mhz"), gpu.get("utilization_percent")
        if now and most and (busy or 0) >= _BUSY_PERCENT and now < most * _LOW_CLOCK:
            return Cause(
                f"{setup.pace}, and the memory of {gpu_label(gpu)} runs at {now} of {most} MHz though it is busy",
                "Decoding is as fast as the memory, and its clock is held down: a locked clock, or a low power state.",
                "Unlock the clocks: nvidia-smi -rmc, nvidia-smi -rgc and nvidia-smi -rac.",
                LIKELY,
            )
    return None


def clocks_set(setup: Setup) -> Cause | None:
    """Somebody has set the application clocks. Source: clocks event reasons of NVML."""
    gpu = _with_reason(setup, "applications_clocks_setting")
    if gpu is None:
        return None
    return Cause(
        f"{setup.pace}, and the application clocks of {gpu_label(gpu)} limit it",
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
    """The yardstick may be wrong. Source: the basis of the bandwidth as gpu_info gives it."""
    if not (setup.slow or (setup.throughput.get("efficiency") or 0) > 1):
        return None
    source = str((setup.throughput.get("roofline") or {}).get("memory_bandwidth_source") or "")
    busy, first = setup.serving_gpus, setup.gpus[: setup.tensor_parallel]
    of_first = bool(first) and str(first[0].get("peak_bandwidth_basis")) in source
    if of_first and busy != first and _peaks(busy) != _peaks(first):
        return Cause(
            f"the roofline is that of {gpu_label(first[0])}, and the server works on {gpu_label(busy[0])}",
            "The server was given other GPUs than the first ones, so that the efficiency is wrong.",
            f"Set verify_memory_bandwidth to {sum(_peaks(busy)):.4g}.",
            LIKELY,
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
    power_cap,
    unequal_gpus,
    clocks_set,
    emulated_format,
    slow_attention,
)


def _slow_line(setup: Setup, *phrases: str) -> str | None:
    lines = setup.log_facts.get("slow_kernels") or []
    return next((line for line in lines if any(phrase in line for phrase in phrases)), None)


def _with_reason(setup: Setup, *reasons: str) -> Gpu | None:
    return next((gpu for gpu in setup.serving_gpus if set(reasons) & set(gpu.get("throttle_reasons") or [])), None)


def _reasons_told(gpu: Gpu, reasons: tuple[str, ...]) -> str:
    return ", ".join(reason for reason in gpu["throttle_reasons"] if reason in reasons)


def _peaks(gpus: list[Gpu]) -> list[float]:
    return [gpu.get("peak_bandwidth_bytes_per_second") or 0 for gpu in gpus]
