# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One model in two stages, each on a node of its own, and what the playbook refuses."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

from .conftest import Play, Played

HEAD, WORKER = "gpunode-cluster-1", "gpunode-cluster-2"


def on(node: str, *command: str) -> str:
    return subprocess.run(
        ["docker", "exec", node, *command], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def container(node: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on(node, "docker", "inspect", "vllm-server"))[0]
    return found


def changed(played: Played) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", played.stdout, re.M)}


def test_the_model_is_verified_at_the_head_alone(served: Played) -> None:
    tasks = re.split(r"^TASK \[", served.stdout, flags=re.M)
    of_verify = [task for task in tasks if task.startswith("toolserve.gpunode.verify : ")]
    verifying = "".join(task for task in of_verify if "preflight" not in task.splitlines()[0].lower())
    assert re.search(rf"^(ok|changed): \[{HEAD}\]", verifying, re.M)
    assert not re.search(rf"^(ok|changed): \[{WORKER}\]", verifying, re.M)


def test_each_node_holds_a_stage(served: Played) -> None:
    assert "Worker_PP0" in on(HEAD, "docker", "logs", "vllm-server")
    log = on(WORKER, "docker", "logs", "vllm-server")
    assert "Worker_PP1" in log and "rank 1 in world size 2" in log and "headless" in log


def test_only_the_head_has_an_api(served: Played) -> None:
    assert ":8000" in on(HEAD, "ss", "--no-header", "--listening", "--tcp", "--numeric")
    assert ":8000" not in on(WORKER, "ss", "--no-header", "--listening", "--tcp", "--numeric")
    assert container(HEAD)["State"]["Health"]["Status"] == "healthy"
    assert "Health" not in container(WORKER)["State"]


def test_a_second_run_changes_nothing(served: Played, play: Play) -> None:
    again = play("site.yml")
    assert again.returncode == 0, again.stdout
    assert changed(again) == {"localhost": 0, HEAD: 0, WORKER: 0}


def test_a_run_without_the_head_is_refused(served: Played, play: Play) -> None:
    alone = play("site.yml", "--limit", f"localhost,{WORKER}", "--tags", "preflight")
    assert alone.returncode != 0 and f"{HEAD} is not in this one" in " ".join(alone.stdout.split())


def test_a_worker_that_differs_stops_both(served: Played, play: Play) -> None:
    other = "{{ '0.33.0' if inventory_hostname == '" + WORKER + "' else '0.32.0' }}"
    refused = " ".join(
        play("site.yml", "--tags", "preflight", "-e", json.dumps({"vllm_release": other})).stdout.split()
    )
    assert f"{WORKER} differs from {HEAD}, the head of its cluster, in vllm_release" in refused
    assert f"Of its cluster {WORKER} cannot be used" in refused


def test_after_a_worker_was_lost_a_restart_of_all_serves_again(served: Played, play: Play) -> None:
    """By itself it does not come back: an idle head notices nothing, and the new worker waits for the old head."""
    on(WORKER, "docker", "kill", "--signal", "KILL", "vllm-server")
    for node in (WORKER, HEAD):
        on(node, "docker", "restart", "vllm-server")
    deadline = time.monotonic() + 900
    while container(HEAD)["State"]["Health"]["Status"] != "healthy":
        assert time.monotonic() < deadline, on(HEAD, "docker", "logs", "--tail", "30", "vllm-server")
        time.sleep(5)
    proven = play("playbooks/verify.yml")
    assert proven.returncode == 0, proven.stdout
