# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the GPUs of a node can serve a profile with a vLLM release: kernels and number. Memory: context_plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_requirement import requirement, runs_on
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_gpus import NO_GPU

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


def fit(
    gpus: Sequence[Mapping[str, Any]], profile: Mapping[str, Any], extra: Mapping[str, Any], release: str, image: str
) -> Fit:
    """Judge the GPUs that gpu_info has found; without a driver the table of known GPUs has to do.

    :param extra: options of the role and the user for vLLM's command line, laid over those of the profile.
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
            f"{wanted.gpus}. vLLM would not start. Lower vllm_tensor_parallel_size."
        )
        return found
    each = [_one(gpu, wanted) for gpu in gpus]
    usable = sum(not one.stops for one in each)
    found.notes += [note for one in each for note in one.notes]
    stops = [stop for one in each for stop in one.stops]
    if usable >= wanted.gpus:
        # Others of the node's GPUs suffice, if they are the ones that vLLM takes.
        found.notes += [f"{stop} Keep vLLM from it: name the others in vllm_gpus." for stop in stops]
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


def _count(arguments: Mapping[str, Any], name: str) -> int:
    try:
        return max(int(arguments.get(name) or 1), 1)
    except (TypeError, ValueError):
        return 1
