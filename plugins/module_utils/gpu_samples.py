# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The GPUs while a server generates: looked at several times a second, for what an idle GPU does not show.

Heat, power and clocks are those of the load; a GPU that nobody uses is cool, and its memory runs slowly.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import gpu_state
from ansible_collections.toolserve.gpunode.plugins.module_utils.watch import Watch

Gpu = Mapping[str, Any]

POLL_SECONDS = 0.25
IDENTITY = ("index", "uuid", "name", "pci_address")
FIGURES = (
    "clock_memory_mhz",
    "clock_sm_mhz",
    "power_draw_watts",
    "power_limit_watts",
    "temperature_celsius",
    "utilization_percent",
)
# What is seen more rarely is a moment's doing, and no cause of a slow run.
OFTEN = 0.25


class GpuSamples:
    """``watch()`` collects them from ``with`` to its end; ``summary()`` is what they come to.

    :param look: the state of the GPUs at a moment; replaced in tests.
    """

    def __init__(self, look: Callable[[], gpu_state.GpuState] = gpu_state.look, seconds: float = POLL_SECONDS) -> None:
        self._look = look
        self._seconds = seconds
        self._samples: list[list[dict[str, Any]]] = []

    def watch(self) -> Watch:
        """In the background; it ends at once where there is no GPU that tells anything."""
        return Watch(self._sample, self._seconds)

    def summary(self) -> list[dict[str, Any]]:
        """Each GPU that tells what it does; throughput_check documents the fields."""
        return summarised(self._samples)

    def _sample(self) -> bool:
        gpus = [gpu for gpu in self._look().gpus if any(gpu.get(name) is not None for name in FIGURES)]
        if gpus:
            self._samples.append(gpus)
        return bool(gpus)


def summarised(samples: Iterable[Sequence[Gpu]]) -> list[dict[str, Any]]:
    """What several looks at the same GPUs come to, GPU by GPU."""
    seen: dict[str, list[Gpu]] = {}
    for gpus in samples:
        for gpu in gpus:
            seen.setdefault(identity(gpu), []).append(gpu)
    return [_summary(looks) for looks in seen.values()]


def identity(gpu: Gpu) -> str:
    """What tells one GPU from another, the best that is known."""
    return str(gpu.get("uuid") or gpu.get("pci_address") or gpu.get("index"))


def under_load(gpu: Gpu, summaries: Iterable[Gpu]) -> dict[str, Any]:
    """The GPU as it was while the server decoded: typical figures in place of those of a moment before.

    Its highest temperature, its lowest power limit, the throttle reasons that were there often, and every process.
    ``under_load`` holds the summary itself; a GPU that none of the summaries is about is returned as it is.
    """
    load = next((one for one in summaries if identity(one) == identity(gpu)), None)
    if load is None:
        return dict(gpu)
    figures = {name: load[name]["median"] for name in FIGURES if load.get(name)}
    for name, which in (("temperature_celsius", "maximum"), ("power_limit_watts", "minimum")):
        if load.get(name):
            figures[name] = load[name][which]
    reasons, processes = load.get("throttle_reasons"), load.get("processes")
    if reasons is not None:
        figures["throttle_reasons"] = [name for name, times in reasons.items() if times >= OFTEN * load["samples"]]
    if processes is not None:
        figures["processes"] = processes
    return {**gpu, **figures, "under_load": load}


def _summary(looks: Sequence[Gpu]) -> dict[str, Any]:
    return {
        **{name: looks[-1].get(name) for name in IDENTITY},
        "samples": len(looks),
        "throttle_reasons": _reasons(looks),
        **{name: _spread(looks, name) for name in FIGURES},
        "processes": _processes(looks),
    }


def _spread(looks: Sequence[Gpu], name: str) -> dict[str, float] | None:
    values = [look[name] for look in looks if look.get(name) is not None]
    if not values:
        return None
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def _reasons(looks: Sequence[Gpu]) -> dict[str, int] | None:
    told = [look["throttle_reasons"] for look in looks if look.get("throttle_reasons") is not None]
    return dict(Counter(reason for reasons in told for reason in reasons)) if told else None


def _processes(looks: Sequence[Gpu]) -> list[dict[str, Any]] | None:
    """Every process that was there at any time, with the most memory that it held."""
    if all(look.get("processes") is None for look in looks):
        return None
    most: dict[int, dict[str, Any]] = {}
    for look in looks:
        for process in look.get("processes") or []:
            known = most.setdefault(process["pid"], dict(process))
            known["memory_bytes"] = max(known["memory_bytes"] or 0, process["memory_bytes"] or 0) or None
    return list(most.values())
