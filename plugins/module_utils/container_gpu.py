# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a container sees the GPU, and why not: CUDA's and nvidia-smi's answers from inside it.

What is wrong on the node itself is told by cuda_state before; here it is what lies between the node and the container.
Sources: troubleshooting and CDI support in NVIDIA's documentation of the Container Toolkit; its issues on cuda-compat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cuda_errors
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_probe import LIBRARY, CudaAnswer
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_state import library_version

START, DAEMON_RELOAD, DOCKER_RESTART = "start", "daemon_reload", "docker_restart"
_AFTER = {START: "", DAEMON_RELOAD: " after systemctl daemon-reload", DOCKER_RESTART: " after a restart of Docker"}

_COMPAT = re.compile(r"/(?:cuda-)?compat[/-]")
# https://github.com/NVIDIA/nvidia-container-toolkit: only the old hook enforces it, so that it is read here.
_REQUIRED = re.compile(r"cuda\s*>=\s*(\d+)\.(\d+)")

REFRESH_CDI = "run systemctl restart nvidia-cdi-refresh.service and make the container anew"
_LOST_DEVICES = Cause(
    "",
    "systemd has applied the container's device rules again and does not know the GPU, because the old hook of the "
    "NVIDIA Container Toolkit has added it behind the engine's back.",
    "Give the container the GPU as a CDI device (Docker from 26.1 on, nvidia_container_toolkit_cdi), or update the "
    "toolkit to 1.18 or later. Containers that have lost the GPU have to be made anew.",
    LIKELY,
)


@dataclass(frozen=True)
class ContainerAnswer:
    """``smi_error`` is empty where nvidia-smi has listed a GPU; ``required`` is the image's NVIDIA_REQUIRE_CUDA."""

    cuda: CudaAnswer
    gpus: tuple[str, ...] = ()
    smi_error: str = ""
    required: str = ""


@dataclass(frozen=True)
class ContainerState:
    """``cause`` is None when the container sees the GPU. ``module_version`` is that of the node's kernel module."""

    answer: ContainerAnswer
    module_version: str | None
    cause: Cause | None

    def as_dict(self) -> dict[str, Any]:
        """For return values; documented in container_gpu_check."""
        cuda, required = self.answer.cuda, required_cuda(self.answer)
        return {
            "passed": self.cause is None,
            "result": cuda.result,
            "device_count": cuda.device_count,
            "gpus": list(self.answer.gpus),
            "libcuda_path": cuda.path,
            "cuda_version": None if cuda.cuda_version is None else ".".join(map(str, cuda.cuda_version)),
            "required_cuda_version": None if required is None else f"{required[0]}.{required[1]}",
            "compat": compat(cuda),
            "cause": None if self.cause is None else self.cause.as_dict(),
        }


def judge(answer: ContainerAnswer, module_version: str | None, after: str = START) -> ContainerState:
    """Why the container does not see the GPU.

    :param after: what has just happened: START, DAEMON_RELOAD or DOCKER_RESTART.
    """
    return ContainerState(answer, module_version, _cause(answer, module_version, after))


def compat(cuda: CudaAnswer) -> bool:
    """Whether the loader took the image's CUDA compatibility library and not the driver's."""
    return _COMPAT.search(cuda.path or "") is not None


def required_cuda(answer: ContainerAnswer) -> tuple[int, int] | None:
    """The least CUDA of the driver that the image asks for."""
    found = _REQUIRED.search(answer.required)
    return (int(found[1]), int(found[2])) if found else None


def _cause(answer: ContainerAnswer, module_version: str | None, after: str) -> Cause | None:
    cuda, when = answer.cuda, _AFTER[after]
    if cuda.load_error:
        return _no_libcuda(cuda, when)
    if cuda.result == cuda_errors.SUCCESS and cuda.device_count:
        # Compatibility libraries that work are rightly there: the GPU is one of a data center.
        return _too_old(answer) or _other_driver(cuda, module_version) or _no_nvml(answer, when)
    said = f"cuInit in the container says {_code(cuda)}{when}"
    if compat(cuda):
        return Cause(
            f"{said}; the loader took {cuda.path}",
            "The loader finds the CUDA compatibility libraries of the image before those of the driver. They serve "
            "data center GPUs with a driver that is older than the image, and no other GPU.",
            "Install a driver branch that is at least as new as the image's CUDA; then the toolkit leaves them out. If "
            "the image itself puts them first (vLLM 0.15 and 0.16 do), set LD_LIBRARY_PATH to "
            "/usr/local/nvidia/lib64:/usr/local/nvidia/lib in vllm_environment, or choose another release.",
            CERTAIN,
        )
    if (other := _other_driver(cuda, module_version)) is not None:
        return other
    if after == DAEMON_RELOAD:
        return replace(_LOST_DEVICES, symptom=said)
    if cuda.result in (cuda_errors.NO_DEVICE, cuda_errors.UNKNOWN, cuda_errors.SUCCESS):
        return Cause(
            said,
            "The driver's library is in the container and reaches no GPU: its device files (/dev/nvidia0, nvidiactl, "
            "nvidia-uvm) are missing there, or the container may not use them.",
            "Look for them on the node (ls -l /dev/nvidia*; nvidia-modprobe -u -c 0 makes them), then "
            f"{REFRESH_CDI}. Without CDI look for no-cgroups = true in /etc/nvidia-container-runtime/config.toml, "
            "which is right for rootless Docker only.",
            LIKELY,
        )
    means, fix = cuda_errors.advice(cuda.result or cuda_errors.UNKNOWN, module_loaded=module_version is not None)
    return Cause(said, means, fix, LIKELY)


def _no_libcuda(cuda: CudaAnswer, when: str) -> Cause:
    return Cause(
        f"{LIBRARY} cannot be loaded in the container{when}: {cuda.load_error}",
        "The container was started without the driver's libraries: the runtime nvidia or the CDI specification does "
        "not know them.",
        f"Look whether the node has the library (ldconfig -p | grep {LIBRARY}); if so, {REFRESH_CDI}. Without CDI the "
        "container needs the runtime nvidia and NVIDIA_VISIBLE_DEVICES.",
        CERTAIN,
    )


def _too_old(answer: ContainerAnswer) -> Cause | None:
    required, has = required_cuda(answer), answer.cuda.cuda_version
    if required is None or has is None or tuple(has) >= required:
        return None
    return Cause(
        f"The image needs CUDA {required[0]}.{required[1]} (NVIDIA_REQUIRE_CUDA), the driver brings {has[0]}.{has[1]}",
        "The driver is older than the CUDA of the image. Without the old hook nobody else checks this: the container "
        "starts and fails later.",
        "Install a newer driver branch (nvidia_driver_branch), or choose an image with an older CUDA (vllm_release).",
        CERTAIN,
    )


def _other_driver(cuda: CudaAnswer, module_version: str | None) -> Cause | None:
    version = library_version(cuda.path)
    if compat(cuda) or version is None or module_version is None or version == module_version:
        return None
    return Cause(
        f"{LIBRARY} in the container is {version}, the node's kernel module is {module_version}",
        "The container has the libraries of another driver: a CDI specification from before an update, or a container "
        "that was made before it.",
        f"Reboot if the driver was updated since the last boot, then {REFRESH_CDI}.",
        CERTAIN,
    )


def _no_nvml(answer: ContainerAnswer, when: str) -> Cause | None:
    if not answer.smi_error:
        return None
    symptom = f"CUDA starts in the container{when}, but nvidia-smi says: {answer.smi_error}"
    if when == _AFTER[DAEMON_RELOAD]:
        return replace(_LOST_DEVICES, symptom=symptom)
    return Cause(
        symptom,
        "The management library (libnvidia-ml.so.1) or nvidia-smi is not in the container, or does not fit the driver.",
        f"NVIDIA_DRIVER_CAPABILITIES has to hold utility; with CDI, {REFRESH_CDI}.",
        LIKELY,
    )


def _code(cuda: CudaAnswer) -> str:
    if cuda.ended:
        return f"nothing, it ended with {cuda.ended}"
    if cuda.result is None:
        return "nothing"
    if cuda.result == cuda_errors.SUCCESS:
        return "0, and CUDA counts no device"
    return f"{cuda.result} ({cuda.name or cuda_errors.NAMES.get(cuda.result, 'unknown to this collection')})"
