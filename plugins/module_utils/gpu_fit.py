# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the GPUs of a node can serve a profile with a vLLM release: kernels, memory, number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_requirement import requirement, runs_on
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import TABLE
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import from_profile, kv_dtype_bytes
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import NO_GPU
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import (
    GIB,
    OVERHEAD_BYTES,
    KvCache,
    KvPool,
    SizingError,
)

# vLLM's default of --gpu-memory-utilization: read in the sources of 0.9.2 to 0.19.1, and of 0.20.2 to 0.33.0.
_UTILIZATION, _UTILIZATION_SINCE_0_20 = 0.9, 0.92
# The least that anything beside weights and KV cache was computed to take (sizing.OVERHEAD_SOURCE).
_LEAST_OVERHEAD_BYTES = 0.6 * GIB
# Of a card that is sold with 16 GB, 15 GiB may be left to programs (Tesla T4: 15360 MiB).
_USABLE_OF_NOMINAL = 0.9
_PASSED_THROUGH = "vfio-pci"


@dataclass
class Fit:
    """``stops``: reasons why it cannot work. ``notes``: what is doubtful or could not be checked."""

    stops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, list[str]]:
        """For filters."""
        return {"stops": self.stops, "notes": self.notes}


@dataclass(frozen=True)
class _Wanted:
    """What is to be served, with the options of vLLM that count here."""

    profile: Mapping[str, Any]
    arguments: Mapping[str, Any]
    release: str
    image: str

    @property
    def gpus(self) -> int:
        return _count(self.arguments, "tensor-parallel-size") * _count(self.arguments, "pipeline-parallel-size")

    @property
    def utilization(self) -> float:
        known = parse_release(self.release)
        default = _UTILIZATION if known is not None and known < (0, 20, 0) else _UTILIZATION_SINCE_0_20
        return float(self.arguments.get("gpu-memory-utilization") or default)


def fit(
    gpus: Sequence[Mapping[str, Any]], profile: Mapping[str, Any], extra: Mapping[str, Any], release: str, image: str
) -> Fit:
    """Judge the GPUs that gpu_info has found; without a driver the table of known GPUs has to do.

    :param extra: options of the user for vLLM's command line, laid over those of the profile.
    """
    arguments = {**((profile.get("vllm") or {}).get("arguments") or {}), **extra}
    arguments = {name.lstrip("-").replace("_", "-"): value for name, value in arguments.items()}
    wanted, found = _Wanted(profile, arguments, release, image), Fit()
    if not gpus:
        found.stops.append(NO_GPU)
        return found
    if len(gpus) < wanted.gpus:
        found.stops.append(
            f"This node has {len(gpus)} NVIDIA GPU, and tensor-parallel-size x pipeline-parallel-size asks for "
            f"{wanted.gpus}. vLLM would not start. Lower them in vllm_extra_arguments or the profile."
        )
        return found
    each = [_one(gpu, wanted) for gpu in gpus]
    usable = sum(not one.stops for one in each)
    found.notes += [note for one in each for note in one.notes]
    stops = [stop for one in each for stop in one.stops]
    if usable >= wanted.gpus:
        # Others of the node's GPUs suffice, if they are the ones that vLLM takes.
        found.notes += [f"{stop} Keep vLLM from it: set CUDA_VISIBLE_DEVICES in vllm_environment." for stop in stops]
    else:
        found.stops += list(dict.fromkeys(stops))
    return found


def _one(gpu: Mapping[str, Any], wanted: _Wanted) -> Fit:
    found = Fit()
    name = gpu.get("name") or f"The GPU {gpu.get('pci_id')}"
    if gpu.get("kernel_driver") == _PASSED_THROUGH:
        found.stops.append(
            f"{name} at {gpu.get('pci_address')} is held by vfio-pci: it is passed through to a virtual machine. "
            "NVIDIA's driver cannot use it. Take it back from the virtual machine, or provision that one instead."
        )
    _capability(found, name, gpu.get("compute_capability"), wanted)
    memory = gpu.get("memory_total_bytes")
    if memory is None:
        found.notes.append(
            f"{name} is not in the table of known GPUs, and no driver tells its memory yet. Whether the model fits "
            "shows only when vLLM starts."
        )
    else:
        _memory(found, name, int(memory), (gpu.get("sources") or {}).get("memory_total_bytes") == TABLE, wanted)
    return found


def _capability(found: Fit, name: str, capability: str | None, wanted: _Wanted) -> None:
    if capability is None:
        found.notes.append(
            f"The compute capability of {name} is not known before its driver is installed. Whether the image holds "
            "kernels for it was not checked."
        )
        return
    least = (wanted.profile.get("requirements") or {}).get("compute_capability")
    if least is not None and float(capability) < float(least):
        found.stops.append(
            f"{name} has compute capability {capability}, and {wanted.profile['name']} needs {float(least):.1f}. The "
            "kernels for its weights do not run on older GPUs. Choose another profile (gpunode_profile) or GPU."
        )
    try:
        image = requirement(wanted.release, wanted.image)
    except ValueError:
        return  # told where the release is checked
    if runs_on(capability, image.compute_capabilities):
        return
    said = (
        f"{name} has compute capability {capability}, and the image of vLLM {wanted.release} (CUDA {image.cuda}) has "
        f"kernels for {', '.join(image.compute_capabilities)}"
    )
    if image.assumed:
        found.notes.append(f"{said} as far as is known (that image was not read).")
    else:
        older = " up to 0.19.1" if runs_on(capability, requirement("0.19.1").compute_capabilities) else ""
        found.stops.append(
            f'{said}. It would end with "no kernel image is available". Set vllm_release to one{older} whose image has '
            "kernels for this GPU, or vllm_image to an image of your own."
        )


def _memory(found: Fit, name: str, memory: int, from_table: bool, wanted: _Wanted) -> None:
    least = (wanted.profile.get("requirements") or {}).get("gpu_memory_gib")
    has = f"{name} has {'nominally ' if from_table else ''}{memory / GIB:.1f} GiB of memory"
    if least is not None and memory < least * GIB * _USABLE_OF_NOMINAL:
        found.stops.append(
            f"{has}, and {wanted.profile['name']} needs a GPU with {least:g}. vLLM would run out of memory. Choose a "
            "smaller profile (gpunode_profile) or a larger GPU."
        )
        return
    weights = (wanted.profile.get("bytes") or {}).get("checkpoint")
    try:
        kv_cache = from_profile(wanted.profile).kv_cache(kv_dtype_bytes(wanted.arguments))
    except SizingError:
        return
    if not weights:
        return
    _context(found, has, memory, int(weights), kv_cache, wanted)


def _context(found: Fit, has: str, memory: int, weights: int, kv_cache: KvCache, wanted: _Wanted) -> None:
    """Several GPUs share weights and KV cache; each has an overhead of its own."""
    context = int(wanted.profile["context"]["maximum"])
    least, likely = (
        KvPool(memory * wanted.gpus, wanted.utilization, weights, overhead * wanted.gpus).largest_context(kv_cache)
        for overhead in (_LEAST_OVERHEAD_BYTES, OVERHEAD_BYTES)
    )
    said = (
        f"{has}, of which vLLM may use {wanted.utilization:.0%} (gpu-memory-utilization). Beside {weights / GIB:.1f} "
        f"GiB of weights a context of {likely} tokens fits, and {wanted.profile['name']} wants {context}"
    )
    if context > least:
        found.stops.append(
            f"{said}. vLLM would refuse to start. Set context.maximum to at most {likely} in gpunode_profile_overrides"
            f"{'' if likely else ' (nothing fits here)'}, set kv-cache-dtype to fp8 in vllm_extra_arguments, or use a "
            "larger GPU or a smaller model."
        )
    elif context > likely:
        found.notes.append(f"{said}: it may just fit, for what vLLM needs besides is an estimate.")


def _count(arguments: Mapping[str, Any], name: str) -> int:
    try:
        return max(int(arguments.get(name) or 1), 1)
    except (TypeError, ValueError):
        return 1
