# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real library in a real child process; only the CUDA in it is a stand-in."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils import cuda_probe, cuda_state
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_probe import CudaAnswer
from ansible_collections.toolserve.gpunode.plugins.modules import cuda_check
from ansible_collections.toolserve.gpunode.tests.unit.plugins import stub_libcuda
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_sysfs import load_nvidia_module

Run = Callable[..., dict[str, Any]]
DRIVER = "595.91.07"
COLLECTIONS = Path(stub_libcuda.__file__.partition("ansible_collections")[0])

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="the stand-in of libcuda needs gcc")


def libcuda_of_this_machine() -> bool:
    try:
        ctypes.CDLL(cuda_probe.LIBRARY)
    except OSError:
        return False
    return True


needs_no_driver = pytest.mark.skipif(libcuda_of_this_machine(), reason="this machine has a libcuda.so.1 of its own")


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run) -> Run:
    """``check(result=803)`` runs the module beside a libcuda with that answer and a loaded kernel module."""

    def run(*, module: str | None = DRIVER, options: dict[str, Any] | None = None, **library: Any) -> dict[str, Any]:
        if module is not None:
            load_nvidia_module(tmp_path, module)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(stub_libcuda.build(tmp_path / "lib", **library)))
        monkeypatch.setattr(cuda_check, "look", lambda seconds: cuda_state.look(seconds, tmp_path))
        return run_module(cuda_check, **(options or {}))

    return run


@needs_gcc
@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_returned_is_what_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run, check_mode: bool
) -> None:
    load_nvidia_module(tmp_path, DRIVER)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(stub_libcuda.build(tmp_path / "lib", devices=2)))
    monkeypatch.setattr(cuda_check, "look", lambda seconds: cuda_state.look(seconds, tmp_path))
    result = run_module(cuda_check, check_mode=check_mode)
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert result.pop("changed") is False
    assert result == {
        "passed": True,
        "result": 0,
        "name": "CUDA_SUCCESS",
        "device_count": 2,
        "libcuda_path": str(tmp_path / f"lib/libcuda.so.{DRIVER}"),
        "libcuda_version": DRIVER,
        "module_version": DRIVER,
        "cause": None,
    }
    assert result.keys() == yaml.safe_load(cuda_check.RETURN).keys()


@needs_gcc
@pytest.mark.parametrize(
    ("code", "name", "cause", "fix"),
    [
        (100, "CUDA_ERROR_NO_DEVICE", "finds no GPU", "dmesg"),
        (100, "CUDA_ERROR_NO_DEVICE", "MIG mode", "nvidia-smi mig"),
        (802, "CUDA_ERROR_SYSTEM_NOT_READY", "NVSwitch", "nvidia-fabricmanager"),
        (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "remains of another driver", "remove packages"),
        (804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "cuda-compat", "ldconfig"),
        (999, "CUDA_ERROR_UNKNOWN", "nvidia_uvm", "/dev/nvidia-uvm"),
        (34, "CUDA_ERROR_STUB_LIBRARY", "for linking only", "stubs"),
        (719, "unknown to this collection", "refuses to start", "dmesg"),
    ],
)
def test_each_code_has_its_own_message(check: Run, code: int, name: str, cause: str, fix: str) -> None:
    result = check(result=code)
    assert result["passed"] is False and not result.get("failed")
    assert (result["result"], result["name"], result["device_count"]) == (code, name, None)
    assert result["cause"]["symptom"] == f"cuInit says {code} ({name}); the loaded kernel module is {DRIVER}"
    assert cause in result["cause"]["cause"]
    assert fix in result["cause"]["fix"]


@needs_gcc
def test_the_library_knows_names_that_we_do_not(check: Run) -> None:
    assert check(result=719, name="CUDA_ERROR_LAUNCH_FAILED")["name"] == "CUDA_ERROR_LAUNCH_FAILED"


@needs_gcc
@pytest.mark.parametrize("code", [100, 999])
def test_without_the_kernel_module_that_is_the_cause(check: Run, code: int) -> None:
    result = check(result=code, module=None)
    assert result["module_version"] is None
    assert "no kernel module nvidia is loaded" in result["cause"]["symptom"]
    assert "kernel driver is not loaded" in result["cause"]["cause"]
    assert "dkms status" in result["cause"]["fix"]


@needs_gcc
def test_no_device_is_no_pass(check: Run) -> None:
    result = check(devices=0)
    assert (result["passed"], result["result"], result["device_count"]) == (False, 0, 0)
    assert "counts no device" in result["cause"]["symptom"]


@needs_gcc
@pytest.mark.parametrize("code", [0, 803])
def test_library_of_another_version_than_the_module(check: Run, code: int) -> None:
    result = check(result=code, version="580.178.04")
    assert result["passed"] is False
    assert (result["libcuda_version"], result["module_version"]) == ("580.178.04", DRIVER)
    assert (
        "libcuda.so.580.178.04" in result["cause"]["symptom"] and f"cuInit says {code} " in result["cause"]["symptom"]
    )
    assert "different versions" in result["cause"]["cause"]
    assert "Reboot" in result["cause"]["fix"]


@needs_gcc
def test_a_file_without_a_version_is_not_compared(check: Run) -> None:
    result = check(version="1.wsl")
    assert (result["passed"], result["libcuda_version"]) == (True, None)


@needs_gcc
def test_a_crash_is_a_result(check: Run) -> None:
    result = check(in_init="raise(SIGSEGV);")
    assert result["passed"] is False and result["result"] is None
    assert result["libcuda_version"] == DRIVER  # learned before the crash
    assert "SIGSEGV" in result["cause"]["symptom"]


@needs_gcc
def test_a_hang_is_a_result(check: Run) -> None:
    result = check(in_init="pause();", options={"timeout": 2})
    assert result["passed"] is False and result["result"] is None
    assert result["cause"]["symptom"] == "cuInit did not return within 2 seconds"


@needs_gcc
def test_what_the_library_prints_does_no_harm(check: Run) -> None:
    assert check(in_init='printf("{\\"result\\": 3}\\nNVRM"); fflush(stdout);')["result"] == 0


@needs_gcc
def test_failing_is_a_choice(check: Run) -> None:
    result = check(result=803, options={"fail": True})
    assert result["failed"] is True and result["result"] == 803
    assert result["msg"].startswith("cuInit says 803 (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)")
    assert all(result["cause"][part] in result["msg"] for part in ("symptom", "cause", "fix"))


@needs_no_driver
def test_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run) -> None:
    load_nvidia_module(tmp_path, DRIVER)
    monkeypatch.setattr(cuda_check, "look", lambda seconds: cuda_state.look(seconds, tmp_path))
    result = run_module(cuda_check)
    assert (result["passed"], result["result"], result["libcuda_path"]) == (False, None, None)
    assert result["cause"]["symptom"] == "libcuda.so.1 is missing: the loader does not find it"
    assert DRIVER in result["cause"]["fix"] and "libnvidia-compute" in result["cause"]["fix"]


@pytest.mark.parametrize("content", [b"", b"not a library " * 100])
def test_library_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run, content: bytes
) -> None:
    (tmp_path / "libcuda.so.1").write_bytes(content)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setattr(cuda_check, "look", lambda seconds: cuda_state.look(seconds, tmp_path))
    result = run_module(cuda_check)
    assert result["passed"] is False and result["result"] is None
    assert result["cause"]["symptom"].startswith("libcuda.so.1 cannot be loaded: ")
    assert "nvidia-uninstall" in result["cause"]["fix"]


@needs_gcc
def test_library_without_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run) -> None:
    (tmp_path / "nothing.c").write_text("int nothing;\n")
    command = ["gcc", "-shared", "-o", tmp_path / "libcuda.so.1", tmp_path / "nothing.c"]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setattr(cuda_check, "look", lambda seconds: cuda_state.look(seconds, tmp_path))
    assert run_module(cuda_check)["cause"]["symptom"].endswith("it has no function cuInit")


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_timeout_of_nothing_is_refused(run_module: Run, seconds: int) -> None:
    assert "more than 0 seconds" in run_module(cuda_check, timeout=seconds)["msg"]


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/lib/x86_64-linux-gnu/libcuda.so.595.91.07", "595.91.07"),
        ("/usr/lib/x86_64-linux-gnu/libcuda.so.470.94", "470.94"),
        ("/usr/lib/libcuda.so.580.65.06 (deleted)", "580.65.06"),
        ("/usr/lib/wsl/lib/libcuda.so.1", None),
        (None, None),
    ],
)
def test_version_of_the_library(path: str | None, version: str | None) -> None:
    assert cuda_state.library_version(path) == version


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.91.07  Release Build",
            "595.91.07",
        ),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.94  Tue Dec 14 20:08:32 UTC 2021", "470.94"),
        ("NVRM version: something else", None),
    ],
)
def test_version_of_the_module_where_sysfs_does_not_tell(tmp_path: Path, line: str, version: str | None) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(f"{line}\nGCC version:  gcc version 12.2.0\n")
    assert cuda_state.loaded_module_version(tmp_path) == version


def test_compatibility_libraries_are_named() -> None:
    path = "/usr/local/cuda-13.1/compat/libcuda.so.590.44.01"
    cause = cuda_state.judge(CudaAnswer(path=path, result=804), "590.44.01", "580.178.04", 1)
    assert cause is not None and "cuda-compat" in cause.cause and "cuda-compat-*" in cause.fix


@needs_gcc
def test_as_ansible_runs_it(tmp_path: Path) -> None:
    """On this machine: nothing is imported from the controller."""
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(stub_libcuda.build(tmp_path, result=803)),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", "toolserve.gpunode.cuda_check", "--check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert (result["changed"], result["result"]) == (False, 803)
