# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in of docker that runs the commands here, beside a stand-in of libcuda; the rest is real."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.modules import container_gpu_check
from ansible_collections.toolserve.gpunode.tests.unit.plugins import stub_libcuda

Run = Callable[..., dict[str, Any]]
DRIVER = "595.91.07"
GPU = "GPU 0: NVIDIA RTX 4000 SFF Ada Generation (UUID: GPU-6c2a1f0e)"

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="the stand-in of libcuda needs gcc")


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run) -> Run:
    """``check(result=803)`` asks a container with such a libcuda; ``environment`` is that of the container."""

    def run(
        *,
        state: str = "running",
        environment: tuple[str, ...] = (),
        smi: str = f"echo '{GPU}'",
        after: str = "start",
        **library: Any,
    ) -> dict[str, Any]:
        programs = tmp_path / "bin"
        programs.mkdir()
        container = {
            "State": {"Running": state == "running", "Status": state},
            "Config": {"Env": ["PATH=/usr/bin", *environment]},
        }
        (tmp_path / "inspect.json").write_text(json.dumps([container]))
        library_path = stub_libcuda.build(tmp_path / "lib", **library)
        scripts = {
            "docker": f"""case "$1" in
                inspect) [ "$4" = server ] && cat {tmp_path}/inspect.json ;;
                exec) [ "$2" = server ] && shift 2 && LD_LIBRARY_PATH={library_path} exec "$@" ;;
                esac""",
            "nvidia-smi": smi,
        }
        for name, text in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(programs), prepend=":")
        monkeypatch.setattr(container_gpu_check, "loaded_module_version", lambda: DRIVER)
        return run_module(container_gpu_check, container="server", after=after)

    return run


def test_what_is_returned_is_what_is_documented(check: Run, tmp_path: Path) -> None:
    result = check(environment=("NVIDIA_REQUIRE_CUDA=cuda>=13.0",))
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert result.pop("changed") is False
    assert result == {
        "passed": True,
        "result": 0,
        "device_count": 1,
        "gpus": [GPU],
        "libcuda_path": str(tmp_path / f"lib/libcuda.so.{DRIVER}"),
        "cuda_version": None,
        "required_cuda_version": "13.0",
        "compat": False,
        "cause": None,
    }
    assert result.keys() == yaml.safe_load(container_gpu_check.RETURN).keys()


def test_a_code_of_cuinit(check: Run) -> None:
    result = check(result=999, name="CUDA_ERROR_UNKNOWN", after="daemon_reload")
    assert result["passed"] is False
    assert "999 (CUDA_ERROR_UNKNOWN) after systemctl daemon-reload" in result["cause"]["symptom"]


def test_a_crash(check: Run) -> None:
    result = check(in_init="raise(SIGSEGV);")
    assert result["passed"] is False
    assert "exit code" in result["cause"]["symptom"]


def test_what_nvidia_smi_says(check: Run) -> None:
    result = check(smi="echo 'Failed to initialize NVML: Unknown Error'; exit 255")
    assert "nvidia-smi says: Failed to initialize NVML: Unknown Error" in result["cause"]["symptom"]


def test_an_image_may_forbid_the_check_of_its_cuda(check: Run) -> None:
    result = check(environment=("NVIDIA_REQUIRE_CUDA=cuda>=13.0", "NVIDIA_DISABLE_REQUIRE=1"))
    assert result["required_cuda_version"] is None


def test_a_container_that_has_ended(check: Run) -> None:
    result = check(state="exited")
    assert result["failed"]
    assert "docker logs server" in result["msg"]
