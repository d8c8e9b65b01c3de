# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that serves, seen and run by its owner."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
sys.path.append(str(REPOSITORY / "molecule/default/tests"))
from playing import kill, play, start  # noqa: E402

NODE = "gpunode-operation"
KEY, TOKEN, VALUE = "canary-key-5b1e0f7a", "hf_canary-token-93ac", "canary-value-77d2"
CANARIES = (KEY, TOKEN, VALUE)
EVIDENCE = REPOSITORY / f".bench/operation/{NODE}.json"
CACHES = ("huggingface", "compiled", "triton")

INVENTORY = REPOSITORY / "molecule/operation/inventory/hosts.yml"
playing = partial(play, inventory=INVENTORY, seconds=900)


def settings(**values: object) -> tuple[str, str]:
    return ("--extra-vars", json.dumps(values))


def passed(playbook: str, *arguments: str) -> str:
    result = playing(*arguments, playbook=playbook)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def failed(playbook: str, *arguments: str) -> str:
    """What the play says, on one line."""
    result = playing(*arguments, playbook=playbook)
    assert result.returncode != 0, result.stdout
    return " ".join((result.stdout + result.stderr).split())


def killed_when(reached: Callable[[], bool], playbook: str, *arguments: str) -> None:
    """A play that is killed as soon as it has come that far."""
    started = start(*arguments, inventory=INVENTORY, playbook=playbook)
    for _ in range(600):
        if reached() or started.poll() is not None:
            break
        time.sleep(0.5)
    ended = started.poll()
    kill(started)
    assert ended is None, "the play ended before it was killed"


def evidence() -> dict:
    return json.loads(EVIDENCE.read_text())


def inspected(host, format: str) -> str:
    return host.check_output(f"docker inspect --format '{format}' vllm-server")


def status_of(host, key: str) -> str:
    """How the server answers a request with this key."""
    url = f"http://{evidence()['endpoint']['base_url'].split('/')[2]}/v1/models"
    return host.check_output(f"curl -s -o /dev/null -w '%{{http_code}}' -H 'Authorization: Bearer {key}' {url}")


def restart_node(host) -> None:
    subprocess.run(["docker", "restart", "--time", "30", NODE], check=True, capture_output=True)
    for _ in range(60):
        if host.run("systemctl is-active docker").stdout.strip() == "active":
            return
        time.sleep(1)
    raise AssertionError("Docker did not start with the node")
