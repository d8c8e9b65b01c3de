# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a machine's GPUs a server works on: those that its container was given, and of these those it uses.

Sources: HostConfig.DeviceRequests of docker inspect (count, device_ids, CDI names), NVIDIA_VISIBLE_DEVICES where the
runtime nvidia hands them out, CUDA_VISIBLE_DEVICES, and the processes that the driver lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Gpu = Mapping[str, Any]

ALL = "all"
FIRST_OF_SEVERAL = "the first of several"
# A CUDA context alone takes less; a second model takes more.
_WORKING_BYTES = 2**30


@dataclass(frozen=True)
class Serving:
    """``told_by``: how it is known which GPUs they are."""

    gpus: list[Gpu]
    told_by: str

    @property
    def bandwidth(self) -> float:
        """Bytes per second of all of them together; 0 where one is not known."""
        peaks = [gpu.get("peak_bandwidth_bytes_per_second") for gpu in self.gpus]
        return float(sum(peak or 0 for peak in peaks)) if all(peaks) else 0.0

    @property
    def bandwidth_source(self) -> str:
        """Of which GPUs it is, how that is known, and how it was obtained."""
        names = ", ".join(map(gpu_label, self.gpus))
        bases = dict.fromkeys(str(gpu["peak_bandwidth_basis"]) for gpu in self.gpus if gpu.get("peak_bandwidth_basis"))
        return f"{', '.join(bases)}; {names}, {self.told_by}"


def serving(gpus: Sequence[Gpu], count: int, container: Mapping[str, Any]) -> Serving:
    """The GPUs that share each token's work.

    :param count: how many do (tensor-parallel-size).
    :param container: ``docker inspect`` of the server's container, empty where it is not known.
    """
    given = _given(list(gpus), container)
    busy = [gpu for gpu in given if working_processes(gpu)]
    if len(given) == count < len(gpus):
        return Serving(given, "given to the container")
    if len(busy) == count < len(given):
        return Serving(busy, "with the processes that work")
    return Serving(given[:count], "all that there are" if len(given) <= count else FIRST_OF_SEVERAL)


def uses_gpu(container: Mapping[str, Any]) -> bool:
    """Whether the container was started with a GPU."""
    host = container.get("HostConfig") or {}
    return bool(_requests(container)) or host.get("Runtime") == "nvidia"


def working_processes(gpu: Gpu) -> list[Mapping[str, Any]]:
    """The processes that hold much of a GPU's memory, the largest first."""
    listed = gpu.get("processes") or []
    holding = [process for process in listed if (process.get("memory_bytes") or 0) >= _WORKING_BYTES]
    return sorted(holding, key=lambda process: -int(process["memory_bytes"]))


def gpu_label(gpu: Gpu) -> str:
    """A GPU by its number and name."""
    index, name = gpu.get("index"), gpu.get("name")
    return f"GPU {'?' if index is None else index}{f' ({name})' if name else ''}"


def _given(gpus: list[Gpu], container: Mapping[str, Any]) -> list[Gpu]:
    """Those that the container sees; all of them where nothing is known, or names that are not understood."""
    requests, environment = _requests(container), _environment(container)
    visible = environment.get("NVIDIA_VISIBLE_DEVICES", ALL)
    seen = _requested(gpus, requests[0]) if requests else _named(gpus, visible)
    chosen = _named(seen, environment.get("CUDA_VISIBLE_DEVICES", ALL), by_position=True)
    return chosen or seen or gpus


def _requests(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    requests = (container.get("HostConfig") or {}).get("DeviceRequests") or []
    return [one for one in requests if one.get("Driver") in ("nvidia", "cdi") or "gpu" in str(one.get("Capabilities"))]


def _requested(gpus: list[Gpu], request: Mapping[str, Any]) -> list[Gpu]:
    if names := request.get("DeviceIDs"):
        return _named(gpus, ",".join(str(name).rpartition("=")[2] for name in names))  # CDI: nvidia.com/gpu=0
    count = int(request.get("Count") or 0)
    return gpus if count <= 0 else gpus[:count]


def _named(gpus: list[Gpu], names: str, *, by_position: bool = False) -> list[Gpu]:
    """GPUs by their number, or their place among those seen, or the beginning of their UUID; none for other names."""
    if names == ALL:
        return gpus
    known = [(str(position if by_position else gpu.get("index")), gpu) for position, gpu in enumerate(gpus)]
    return [
        gpu
        for name in names.split(",")
        for number, gpu in known
        if name == number or (name.startswith("GPU-") and str(gpu.get("uuid")).startswith(name))
    ]


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    entries = (container.get("Config") or {}).get("Env") or []
    return {name: value for name, _equals, value in (str(entry).partition("=") for entry in entries)}
