# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-ups of gpt-oss that vLLM's recipe publishes, as inventory.example renders them.

golden/gpt-oss.compose keeps the command line and how the container gets its GPUs. The rest of the file is that of every
other model, and is kept for the reference node.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.profiles import reading
from tests.unit.collection.test_compose_file import rendered

pytestmark = pytest.mark.plays
HOSTS = yaml.safe_load((reading.ROOT / "inventory.example/gpt-oss/hosts.yml").read_text())["gpunodes"]["hosts"]
GOLDEN = yaml.safe_load((Path(__file__).parent / "golden/gpt-oss.compose").read_text())
# What the recipe says on its command line, besides the model.
PUBLISHED = {
    "minimal": [],
    "two-gpus": ["--tensor-parallel-size 2"],
    "batches": [
        "--tensor-parallel-size 8",
        "--max-model-len 131072",
        "--max-num-batched-tokens 10240",
        "--max-num-seqs 128",
        "--gpu-memory-utilization 0.85",
        "--no-enable-prefix-caching",
    ],
    "tools": ["--tool-server localhost:8001,localhost:8002"],
}
GPUS = {"minimal": 1, "two-gpus": 4, "batches": 8, "tools": 1}


def server(folder: Path, host: str, access: str) -> dict[str, Any]:
    h100 = [
        {"index": index, "uuid": None, "name": "NVIDIA H100 80GB HBM3", "memory_total_bytes": 80 << 30}
        for index in range(GPUS[host])
    ]
    settings = folder / "settings.yml"
    settings.write_text(yaml.safe_dump({**HOSTS[host], "__vllm_gpu": {"gpus": h100}, "vllm_gpu_access": access}))
    text = rendered(folder, settings)
    found: dict[str, Any] = yaml.safe_load(text)["services"]["server"]
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_the_set_up_is_the_one_that_is_kept(host: str, tmp_path: Path) -> None:
    found = server(tmp_path, host, "cdi")
    command = " ".join(found["command"]).replace(" --", "\n--").splitlines()
    assert {"command": command, "deploy": found["deploy"]} == GOLDEN[host]
    assert "runtime" not in found


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_kept_is_what_was_published(host: str) -> None:
    command = GOLDEN[host]["command"]
    assert f"--model openai/{HOSTS[host]['gpunode_profile']}" in command
    assert {"--enable-auto-tool-choice", "--tool-call-parser openai"} <= set(command)
    assert set(PUBLISHED[host]) <= set(command)
    (reservation,) = GOLDEN[host]["deploy"]["resources"]["reservations"]["devices"]
    assert reservation["capabilities"] == ["gpu"]


def test_on_a_node_without_cdi_it_is_the_runtime(tmp_path: Path) -> None:
    found = server(tmp_path, "two-gpus", "runtime")
    assert found["runtime"] == "nvidia" and "deploy" not in found
    assert found["environment"]["NVIDIA_VISIBLE_DEVICES"] == "0,1"
