# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is seen inside a container, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.container_gpu import (
    DAEMON_RELOAD,
    DOCKER_RESTART,
    START,
    ContainerAnswer,
    judge,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_probe import CudaAnswer

DRIVER = "595.91.07"
LIBRARY = f"/usr/lib/x86_64-linux-gnu/libcuda.so.{DRIVER}"
COMPAT = "/usr/local/cuda-13.0/compat/libcuda.so.580.95.05"
GOOD = ContainerAnswer(
    CudaAnswer(path=LIBRARY, result=0, name="CUDA_SUCCESS", device_count=1, cuda_version=[13, 2]),
    gpus=("GPU 0: NVIDIA RTX 4000 SFF Ada Generation",),
)


def cuda(**what: object) -> ContainerAnswer:
    return replace(GOOD, cuda=replace(GOOD.cuda, **what))  # type: ignore[arg-type]


def cause(answer: ContainerAnswer, module: str | None = DRIVER, after: str = START) -> Cause:
    found = judge(answer, module, after).cause
    assert found is not None
    return found


@pytest.mark.parametrize("after", [START, DAEMON_RELOAD, DOCKER_RESTART])
@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        cuda(path="/usr/lib/x86_64-linux-gnu/libcuda.so.1"),  # a mount under this name: the version is not known
        cuda(cuda_version=None),
        replace(GOOD, required="cuda>=13.0 brand=tesla,driver>=535,driver<536"),
        replace(GOOD, required="cuda>=13.2"),
    ],
)
def test_a_container_with_the_gpu_passes(answer: ContainerAnswer, after: str) -> None:
    state = judge(answer, DRIVER, after)
    assert state.cause is None
    assert state.as_dict()["passed"] is True


def test_compat_libraries_that_work_are_rightly_there() -> None:
    """On a GPU of a data center: an image with CUDA 13.0 on a driver of 12.x."""
    state = judge(replace(cuda(path=COMPAT, cuda_version=[13, 0]), required="cuda>=13.0"), "570.211.01")
    assert state.cause is None
    assert state.as_dict()["compat"] is True


def test_an_image_that_is_newer_than_the_driver() -> None:
    found = cause(replace(cuda(cuda_version=[12, 8]), required="cuda>=13.0 brand=tesla,driver>=535"))
    assert "needs CUDA 13.0" in found.symptom
    assert "brings 12.8" in found.symptom
    assert "nvidia_driver_branch" in found.fix


@pytest.mark.parametrize("code", [803, 804, 999])
def test_compat_libraries_in_the_way(code: int) -> None:
    found = cause(cuda(path=COMPAT, result=code, name="", device_count=None))
    assert str(code) in found.symptom
    assert COMPAT in found.symptom
    assert "LD_LIBRARY_PATH" in found.fix


def test_no_libraries_in_the_container() -> None:
    error = "libcuda.so.1: cannot open shared object file: No such file or directory"
    found = cause(ContainerAnswer(CudaAnswer(load_error=error), smi_error="exec: nvidia-smi: not found"))
    assert "cannot be loaded in the container" in found.symptom
    assert "nvidia-cdi-refresh" in found.fix


def test_libraries_of_another_driver() -> None:
    other = "580.178.04"
    for answer in (
        cuda(path=LIBRARY.replace(DRIVER, other), result=803, name="CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        cuda(path=LIBRARY.replace(DRIVER, other)),
    ):
        found = cause(answer)
        assert found.symptom == f"libcuda.so.1 in the container is {other}, the node's kernel module is {DRIVER}"
        assert "nvidia-cdi-refresh" in found.fix


@pytest.mark.parametrize("code", [100, 999])
def test_no_device_files(code: int) -> None:
    found = cause(cuda(result=code, name="", device_count=None))
    assert "/dev/nvidia0" in found.cause
    assert "no-cgroups" in found.fix


def test_cuda_without_a_device() -> None:
    assert "counts no device" in cause(cuda(device_count=0)).symptom


@pytest.mark.parametrize(
    "answer",
    [
        cuda(result=999, name="", device_count=None),
        replace(GOOD, gpus=(), smi_error="Failed to initialize NVML: Unknown Error"),
    ],
)
def test_the_gpu_is_lost_by_a_daemon_reload(answer: ContainerAnswer) -> None:
    found = cause(answer, after=DAEMON_RELOAD)
    assert "after systemctl daemon-reload" in found.symptom
    assert "the old hook" in found.cause
    assert "CDI" in found.fix
    assert "the old hook" not in cause(answer).cause  # without it there is no such suspicion


def test_the_same_code_means_another_thing_after_a_restart() -> None:
    found = cause(cuda(result=999, name="", device_count=None), after=DOCKER_RESTART)
    assert "after a restart of Docker" in found.symptom
    assert "the old hook" not in found.cause


def test_nvidia_smi_alone_fails() -> None:
    found = cause(replace(GOOD, gpus=(), smi_error="exec: nvidia-smi: executable file not found"))
    assert "executable file not found" in found.symptom
    assert "utility" in found.fix


@pytest.mark.parametrize(("ended", "said"), [("exit code 139", "exit code 139"), ("timeout", "timeout")])
def test_cuda_that_does_not_return(ended: str, said: str) -> None:
    assert said in cause(cuda(result=None, name="", device_count=None, ended=ended)).symptom


def test_any_other_code_has_the_advice_for_the_node() -> None:
    found = cause(cuda(result=802, name="CUDA_ERROR_SYSTEM_NOT_READY", device_count=None))
    assert "802 (CUDA_ERROR_SYSTEM_NOT_READY)" in found.symptom
    assert "nvidia-fabricmanager" in found.fix
