# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose files of head and worker, for both runtimes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.collection.test_compose_file import rendered

pytestmark = pytest.mark.plays
OWN, OTHER = "10.0.0.1", "10.0.0.2"


def server(folder: Path, *, head: bool, **settings: Any) -> dict[str, Any]:
    """Of the node whose address is OWN, as the head or as a worker."""
    nodes = ["localhost", "other"] if head else ["other", "localhost"]
    said = {"localhost": {"address": OWN}, "other": {"address": OTHER}}
    gpus = [{"index": index, "name": "NVIDIA H100", "memory_total_bytes": 80 << 30} for index in range(2)]
    path = folder / "settings.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "gpunode_profile": "gpt-oss-120b",
                "gpunode_listen_address": OWN,
                "vllm_cluster_nodes": nodes,
                "gpunode_cluster": said,
                "__vllm_gpu": {"gpus": gpus},
                **settings,
            }
        )
    )
    text = rendered(folder, path)
    _is_valid(folder, text)
    found: dict[str, Any] = yaml.safe_load(text)["services"]["server"]
    return found


def _is_valid(folder: Path, text: str) -> None:
    """In Compose's own words, where it is at hand."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        return
    for name in ("vllm.env", "hf_token"):
        (folder / name).touch()
    (folder / "compose.yaml").write_text(text)
    done = subprocess.run(
        ["docker", "compose", "--project-directory", str(folder), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def words(found: dict[str, Any]) -> str:
    return " ".join([*found["entrypoint"], *found["command"]])


@pytest.mark.parametrize("head", [True, False])
def test_both_use_the_network_of_the_node_and_divide_the_model_alike(head: bool, tmp_path: Path) -> None:
    found = server(tmp_path, head=head)
    assert found["network_mode"] == "host" and "ports" not in found
    for option in ("--tensor-parallel-size 2", "--pipeline-parallel-size 2", "--nnodes 2", "--master-port 29501"):
        assert option in words(found)


def test_the_head_has_the_api_at_the_address_that_was_asked_for(tmp_path: Path) -> None:
    found = server(tmp_path, head=True, gpunode_listen_port=8123)
    assert f"--host {OWN} --port 8123" in words(found) and f"{OWN}:8123/health" in str(found["healthcheck"])
    assert f"--node-rank 0 --master-addr {OWN}" in words(found) and "--headless" not in words(found)


def test_a_worker_has_none(tmp_path: Path) -> None:
    found = server(tmp_path, head=False)
    assert "vllm serve openai/gpt-oss-120b" in words(found) and "healthcheck" not in found
    assert f"--node-rank 1 --master-addr {OTHER}" in words(found) and "--headless" in words(found)


def test_ray_starts_before_vllm(tmp_path: Path) -> None:
    head = server(tmp_path, head=True, vllm_cluster_runtime="ray")
    assert f"ray start --head --node-ip-address={OWN} --port=6379" in words(head)
    assert 'exec "$$@"' in words(head)  # Compose makes one dollar of two
    assert "--distributed-executor-backend ray" in words(head) and "--nnodes" not in words(head)


def test_a_worker_of_ray_is_ray_alone(tmp_path: Path) -> None:
    worker = server(tmp_path, head=False, vllm_cluster_runtime="ray")
    assert words(worker).endswith(f"ray start --address={OTHER}:6379 --node-ip-address={OWN} --block")
