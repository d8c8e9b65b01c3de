# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import DRIVER_FIELDS, GPU_FIELDS
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_state import look
from ansible_collections.toolserve.gpunode.plugins.modules import gpu_info
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_nvml
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvidia_smi import H200_BUSY, fake_nvidia_smi
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvml import H200, SFF_ADA, FakeNvml

Run = Callable[..., dict[str, Any]]
COLLECTIONS = Path(fake_nvml.__file__.partition("ansible_collections")[0])


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_returned_is_what_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run, check_mode: bool
) -> None:
    monkeypatch.setattr(gpu_info, "look", lambda: look(tmp_path, lambda: FakeNvml(SFF_ADA, H200), "no-such-command"))
    result = run_module(gpu_info, check_mode=check_mode)
    result.pop("invocation", None)  # up to ansible-core 2.20
    documented = yaml.safe_load(gpu_info.RETURN)
    assert result.pop("changed") is False
    assert result.keys() == documented.keys()
    assert documented["gpus"]["contains"].keys() == {*GPU_FIELDS, "sources"}
    assert set(documented["driver"]["contains"]) == {*DRIVER_FIELDS, "sources"} == result["driver"].keys()
    types = {"int": int, "str": str, "float": float, "bool": bool, "list": list, "dict": dict}
    for gpu in result["gpus"]:
        assert gpu.keys() == documented["gpus"]["contains"].keys()
        for field, value in gpu.items():
            assert value is None or type(value) is types[documented["gpus"]["contains"][field]["type"]], field
    (process, _other) = result["gpus"][0]["processes"]
    assert process.keys() == documented["gpus"]["contains"]["processes"]["contains"].keys()
    assert [gpu["name"] for gpu in result["gpus"]] == ["NVIDIA RTX 4000 SFF Ada Generation", "NVIDIA H200"]


def test_no_gpu_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run) -> None:
    monkeypatch.setattr(gpu_info, "look", lambda: look(tmp_path, lambda: FakeNvml(), "no-such-command"))
    result = run_module(gpu_info)
    assert not result.get("failed") and result["gpus"] == [] and result["summary"] == "no NVIDIA GPU"
    documented = yaml.safe_load(gpu_info.RETURN)["problems"]["contains"]
    assert result["problems"][0].keys() == documented.keys()


def test_as_ansible_runs_it(tmp_path: Path) -> None:
    """On this machine, with nvidia-smi on the PATH of the target: nothing is imported from the controller."""
    fake_nvidia_smi(tmp_path, H200_BUSY)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", "toolserve.gpunode.gpu_info", "--check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert result["changed"] is False
    names = [gpu["name"] for gpu in result["gpus"]]
    assert names == ["NVIDIA H200"] or any(gpu["sources"]["name"] == "nvml" for gpu in result["gpus"])
