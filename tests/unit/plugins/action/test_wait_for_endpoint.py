# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.toolserve.gpunode.plugins.action import wait_for_endpoint
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_endpoint as fake
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

COLLECTIONS = Path(fake.__file__.partition("ansible_collections")[0])
URL = "http://127.0.0.1:8000/v1"
ABSENT = {
    "base_url": URL,
    "reachable": False,
    "healthy": False,
    "version": None,
    "models": [],
    "auth_required": None,
    "error": {"kind": "unreachable", "status": None, "seen": "connection refused", "message": "connection refused."},
}
READY = ABSENT | {
    "reachable": True,
    "healthy": True,
    "version": "0.32.0",
    "models": [{"id": "pocket"}],
    "auth_required": False,
    "error": None,
}
UNAUTHORISED = READY | {
    "models": [],
    "auth_required": True,
    "error": {"kind": "http", "status": 401, "seen": "HTTP 401", "message": "The server wants an API key."},
}


def inspected(status: str = "running", restarts: int = 0, **state: Any) -> dict[str, Any]:
    """What docker container inspect says."""
    full = {"Status": status, "ExitCode": 0, "OOMKilled": False, **state}
    return {"rc": 0, "stdout": json.dumps({"state": full, "restarts": restarts}), "stderr": ""}


MISSING = {"rc": 1, "stdout": "", "stderr": "Error response from daemon: No such container: vllm"}
LOG = {"rc": 0, "stdout": "loading\n", "stderr": "\n".join(f"line {number}" for number in range(40))}


RECORDED = Path(fake.__file__).parent / "module_utils/recorded/startup"


def log(*lines: str, began: str = "2026-11-21T12:00:0") -> dict[str, Any]:
    """What docker logs says, a line each second."""
    stamped = [f"{began}{second}.5Z {line}" for second, line in enumerate(lines)]
    return {"rc": 0, "stdout": "\n".join(stamped), "stderr": ""}


def recorded(name: str) -> dict[str, Any]:
    """The log of a real start."""
    return {"rc": 0, "stdout": (RECORDED / f"{name}.log").read_text(), "stderr": ""}


class Script:
    """Plays the target: endpoint_info and docker answer from lists, the last entry again and again."""

    def __init__(self, endpoint: list[Any], docker: list[Any], logs: list[Any]) -> None:
        self.looks = endpoint
        self.inspections = docker
        self.logs = logs
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, *, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.calls.append((module_name, module_args))
        if module_name == "toolserve.gpunode.endpoint_info":
            return self._next(self.looks)
        assert module_name == "ansible.builtin.command" and module_args["argv"][0] == "docker"
        return self._next(self.logs if "logs" in module_args["argv"] else self.inspections)

    @staticmethod
    def _next(answers: list[Any]) -> Any:
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was displayed; time stands still but for the sleeps."""
    shown: list[str] = []
    clock = [0.0]
    monkeypatch.setattr(wait_for_endpoint, "display", mock.Mock(display=shown.append))
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    yield shown


def wait(
    endpoint: list[Any],
    docker: list[Any] | None = None,
    logs: list[Any] | None = None,
    *,
    check_mode: bool = False,
    **options: Any,
) -> tuple[dict[str, Any], Script]:
    task = mock.Mock(args={"base_url": URL, **options}, check_mode=check_mode, async_val=0, diff=False)
    action = wait_for_endpoint.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    script = Script(endpoint, docker or [], logs or [LOG])
    with mock.patch.object(action, "_execute_module", script):
        return action.run(task_vars={"inventory_hostname": "node1"}), script


def test_ready_at_once_says_nothing(lines: list[str]) -> None:
    result, script = wait([READY])
    assert result == {"changed": False, "seconds": 0.0, "version": "0.32.0", "models": [{"id": "pocket"}]}
    assert lines == [] and len(script.calls) == 1


def test_a_line_tells_what_has_changed(lines: list[str]) -> None:
    unhealthy = READY | {"healthy": False}
    result, _script = wait([ABSENT, ABSENT, unhealthy, READY | {"models": []}, READY], interval=10)
    assert result["seconds"] == 40
    assert lines == [
        "[node1] endpoint: waiting 0 s of 900 s: connection refused",
        "[node1] endpoint: waiting 20 s of 900 s: answers, but is not healthy",
        "[node1] endpoint: waiting 30 s of 900 s: answers, but lists no model yet",
    ]


def test_now_and_then_a_line_is_printed_though_nothing_has_changed(lines: list[str]) -> None:
    wait([*[ABSENT] * 7, READY], interval=10, report_interval=25)
    assert [line.split(" of")[0] for line in lines] == [f"[node1] endpoint: waiting {s} s" for s in (0, 30, 60)]


def test_the_container_and_how_far_it_has_come_are_told_too(lines: list[str]) -> None:
    docker = [inspected("created"), inspected(Health={"Status": "starting"})]
    shards = "Loading safetensors checkpoint shards:  {} Completed | {} [00:09<00:18,  9.20s/it]"
    logs = [
        {"rc": 0, "stdout": "", "stderr": ""},
        log("INFO 11-21 12:00:00 [gpu_model_runner.py:1770] Starting to load model Qwen/Qwen2.5-14B-Instruct-AWQ..."),
        log("Starting to load model x...", shards.format("33%", "1/3")),
        log("Starting to load model x...", shards.format("33%", "1/3")),
        log("Starting to load model x...", "INFO 11-21 12:00:01 [gpu_model_runner.py:1801] Model loading took 9.3 GiB"),
    ]
    wait([*[ABSENT] * 5, READY], docker, logs, container="vllm")
    assert [line.removeprefix("[node1] endpoint: waiting ") for line in lines] == [
        "0 s of 900 s: connection refused; container created",
        "5 s of 900 s: loading weights; connection refused; container starting",
        "10 s of 900 s: loading weights, 33 %; connection refused; container starting",
        "20 s of 900 s: warming up; connection refused; container starting",
    ]


def test_what_the_start_took_and_what_the_server_chose_is_returned(lines: list[str]) -> None:
    started = (RECORDED / "good.started").read_text().strip()
    result, _script = wait([READY], [inspected(StartedAt=started)], [recorded("good")], container="vllm")
    assert [phase["phase"] for phase in result["phases"]] == ["starting", "loading weights", "warming up"]
    assert all(phase["seconds"] > 0 for phase in result["phases"])
    assert result["log_facts"]["kv_cache_tokens"] == 139776
    assert result["log_facts"]["tool_call_parser"] == "qwen_tools"


def test_a_log_without_its_beginning_has_no_phases(lines: list[str]) -> None:
    long = log(*["INFO: 127.0.0.1 - GET /health"] * wait_for_endpoint.WHOLE_LINES)
    result, _script = wait([READY], [inspected()], [long], container="vllm")
    assert result["phases"] == [] and result["version"] == "0.32.0"


def test_an_endpoint_that_is_ready_needs_no_docker(lines: list[str]) -> None:
    result, _script = wait([READY], [{"rc": 1, "stdout": "", "stderr": "Cannot connect"}], container="vllm")
    assert not result.get("failed") and "phases" not in result


def test_the_container_is_asked_without_its_environment(lines: list[str]) -> None:
    _result, script = wait([ABSENT, READY], [inspected()], container="vllm")
    argv = script.calls[1][1]["argv"]
    assert argv[:4] == ["docker", "container", "inspect", "--format"] and argv[-1] == "vllm"
    assert "Env" not in argv[4] and "Config" not in argv[4]


def test_options_go_to_the_target(lines: list[str]) -> None:
    _result, script = wait([READY], api_key="k", validate_certs="no", ca_path="~/ca.pem", timeout=3)
    assert script.calls[0][1] == {
        "base_url": URL,
        "api_key": "k",
        "validate_certs": False,
        "ca_path": "~/ca.pem",
        "timeout": 3.0,
    }


@pytest.mark.parametrize(
    ("docker", "told", "state"),
    [
        ([MISSING], "The container vllm does not exist. Deploy it first", "missing"),
        ([inspected("exited", ExitCode=1)], "The container vllm is exited (exit code 1)", "exited"),
        ([inspected("exited", ExitCode=137, OOMKilled=True)], "(exit code 137, out of memory)", "exited"),
        ([inspected("dead", ExitCode=255)], "The container vllm is dead", "dead"),
        ([inspected("restarting", 4, ExitCode=1)], "The container vllm is restarting (exit code 1)", "restarting"),
        ([inspected(restarts=3), inspected(restarts=4)], "was restarted 1 time(s) while waiting", "running"),
    ],
)
def test_waiting_stops_when_the_container_will_not_come_up(
    lines: list[str], docker: list[Any], told: str, state: str
) -> None:
    looks = len(docker)
    result, script = wait([ABSENT], docker, container="vllm")
    assert result["failed"] and told in result["msg"]
    assert result["container"]["state"] == state
    assert len(lines) == looks - 1, "no line is printed for the look that ends it"
    if state != "missing":
        assert result["container"]["log"] == [f"line {number}" for number in range(10, 40)]
        assert result["msg"].endswith("line 39")
        assert ("docker logs vllm" in result["msg"]) == (not result["causes"])
        assert script.calls[-1][1]["argv"] == ["docker", "logs", "--timestamps", "--tail", "4000", "vllm"]


@pytest.mark.parametrize(
    "states",
    [
        [inspected("exited", ExitCode=1)],
        [inspected("restarting", 3, ExitCode=1)],
        [inspected(StartedAt="2026-11-21T12:13:00Z"), inspected(restarts=1, StartedAt="2026-11-21T12:59:00Z")],
    ],
)
def test_the_reason_is_told_when_the_server_died(lines: list[str], states: list[Any]) -> None:
    result, _script = wait([ABSENT], states, [recorded("kv_cache_too_small")], container="vllm")
    first = result["causes"][0]
    assert first["confidence"] == "certain" and "139648 tokens would fit" in first["cause"]
    for told in first["symptom"], first["cause"], first["fix"], "The end of its log:":
        assert told in result["msg"]
    assert result["phase"] == "warming up" and result["phases"][0]["phase"] == "starting"


def test_docker_that_could_not_start_it_is_a_reason_too(lines: list[str]) -> None:
    error = 'could not select device driver "nvidia" with capabilities: [[gpu]]'
    result, _script = wait(
        [ABSENT], [inspected("created", ExitCode=128), inspected("exited", Error=error)], container="v"
    )
    assert "NVIDIA Container Toolkit" in result["causes"][0]["fix"]


def test_a_server_that_stays_up_is_not_said_to_have_died(lines: list[str]) -> None:
    handled = log("ERROR 11-21 12:00:00 [a.py:1] ValueError: something that was handled")
    result, _script = wait([ABSENT], [inspected()], [handled], container="vllm", timeout=1)
    assert result["causes"] == [] and "its server: starting" in result["msg"]
    failed = log("ERROR 11-21 12:00:00 [core.py:1] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB")
    result, _script = wait([ABSENT], [inspected()], [failed], container="vllm", timeout=1)
    assert "The GPU's memory is used up" in result["msg"]


def test_a_container_restarted_before_the_wait_is_given_its_time(lines: list[str]) -> None:
    result, _script = wait([ABSENT, ABSENT, READY], [inspected(restarts=7)], container="vllm")
    assert not result.get("failed")


def test_time_runs_out(lines: list[str]) -> None:
    result, _script = wait([ABSENT], timeout=12)
    assert result["failed"] and result["seconds"] == 12.0 and result["last_error"] == "connection refused"
    assert f"{URL} is not ready after 12 s. The last look saw: connection refused." in result["msg"]
    assert "docker logs --tail 50 NAME" in result["msg"]
    assert len(lines) == 1, "nothing has changed"


def test_time_runs_out_with_a_container(lines: list[str]) -> None:
    result, _script = wait([ABSENT], [inspected(Health={"Status": "unhealthy"})], timeout=4, container="vllm")
    assert "The container vllm is running (unhealthy), its server: starting." in result["msg"] and result[
        "msg"
    ].endswith("line 39")


@pytest.mark.parametrize("key", [None, "canary-4711"])
def test_the_key_is_taken_out_of_the_log(lines: list[str], key: str | None) -> None:
    said = log("INFO 07-09 10:00:00 [utils.py:1] non-default args: {'api_key': 'canary-4711', 'port': 8000}")
    for docker in (inspected("exited"), inspected()):
        result, _script = wait([ABSENT], [docker], [said], container="vllm", api_key=key, timeout=1)
        assert "'api_key': '***'" in result["msg"] and "canary-4711" not in str(result)
    result, _script = wait([READY], [inspected()], [said], container="vllm", api_key=key)
    assert result["log_facts"]["arguments"]["port"] == 8000 and "canary-4711" not in str(result)


def test_a_refused_key_is_not_waited_for(lines: list[str]) -> None:
    result, _script = wait([UNAUTHORISED])
    assert result["failed"] and result["msg"] == "The server wants an API key." and lines == []


@pytest.mark.parametrize("broken", [{"failed": True, "msg": "no python"}, {"unreachable": True, "msg": "gone"}])
def test_what_the_target_cannot_do_is_reported(lines: list[str], broken: dict[str, Any]) -> None:
    result, _script = wait([broken])
    assert result.items() >= broken.items()


def test_check_mode_looks_once(lines: list[str]) -> None:
    result, script = wait([ABSENT], check_mode=True, container="vllm")
    assert result["skipped"] and "connection refused" in result["msg"] and not result.get("failed")
    assert len(script.calls) == 1
    assert wait([READY], check_mode=True)[0]["version"] == "0.32.0"


@pytest.mark.parametrize(
    ("docker", "told"),
    [
        ({"rc": 1, "stdout": "", "stderr": "Cannot connect to the Docker daemon."}, "Docker service runs"),
        ({"failed": True, "msg": "No such file or directory: 'docker'"}, "docker cannot be run on the target"),
    ],
)
def test_docker_that_does_not_answer_is_no_silent_wait(lines: list[str], docker: Any, told: str) -> None:
    with pytest.raises(AnsibleActionFail, match=told):
        wait([ABSENT], [docker], container="vllm")


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"interval": -1}, {"report_interval": 0}, {"timeout": "soon"}, {"time": 3}]
)
def test_unusable_options_fail(lines: list[str], options: dict[str, Any]) -> None:
    with pytest.raises(AnsibleActionFail):
        wait([READY], **options)


# For real: Ansible, the module on the "target", and a docker command that tells what a file says.
DOCKER = """#!/bin/sh
case "$1" in
  container) cat "$STATE_FILE"; touch "$STATE_FILE.asked" ;;
  logs)
    echo "2026-11-21T12:00:00.5Z INFO 11-21 12:00:00 [a.py:1] Starting to load model x..."
    echo "2026-11-21T12:00:01.5Z ValueError: No available memory for the cache blocks." >&2 ;;
esac
"""


def play(tmp_path: Path, tasks: list[dict[str, Any]], *arguments: str) -> subprocess.CompletedProcess[str]:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    playbook = tmp_path / "play.yml"
    defaults = {"group/toolserve.gpunode.endpoint": {"api_key": "canary-4711"}}
    host = {"hosts": "localhost", "connection": "local", "gather_facts": False, "module_defaults": defaults}
    playbook.write_text(json.dumps([{**host, "tasks": tasks}]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "PATH": f"{docker.parent}{os.pathsep}{os.environ['PATH']}",
        "STATE_FILE": str(tmp_path / "state.json"),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(playbook), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_endpoint_that_comes_up_while_ansible_waits(tmp_path: Path, dead_url: str) -> None:
    (tmp_path / "state.json").write_text(inspected(Health={"Status": "starting"})["stdout"])
    port = int(dead_url.split(":")[2].split("/")[0])
    ready, done = threading.Event(), threading.Event()

    def serve_later() -> None:
        while not (tmp_path / "state.json.asked").exists() and not done.is_set():
            time.sleep(0.05)
        time.sleep(1)
        with FakeEndpoint(api_key="canary-4711").serving(port):
            ready.set()
            done.wait(180)

    server = threading.Thread(target=serve_later)
    server.start()
    try:
        options = {"base_url": dead_url, "timeout": 180, "interval": 0.4, "container": "vllm"}
        finished = play(
            tmp_path,
            [
                {"toolserve.gpunode.wait_for_endpoint": options, "register": "waited"},
                {"ansible.builtin.debug": {"msg": "served {{ waited.models[0].id }} by {{ waited.version }}"}},
            ],
        )
    finally:
        done.set()
        server.join()
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert ready.is_set() and "served pocket by 0.32.0" in finished.stdout
    told = re.findall(r"^\[localhost\] endpoint: waiting (\d+) s of 180 s: (.*)$", finished.stdout, re.MULTILINE)
    what = "loading weights; connection refused; container starting"
    assert told and {seen for _seconds, seen in told} == {what}
    assert "canary-4711" not in finished.stdout + finished.stderr


def test_failures_are_told_by_ansible(tmp_path: Path, dead_url: str) -> None:
    (tmp_path / "state.json").write_text(inspected("exited", ExitCode=1)["stdout"])
    name = "toolserve.gpunode.wait_for_endpoint"
    options = {"base_url": dead_url, "timeout": 0.5, "interval": 0.5}
    finished = play(
        tmp_path,
        [
            {name: options | {"container": "vllm"}, "ignore_errors": True},
            {name: options, "check_mode": True},
            {name: options},
        ],
    )
    assert finished.returncode == 2, finished.stdout + finished.stderr
    output = finished.stdout + finished.stderr
    assert "The container vllm is exited (exit code 1)" in output
    assert "No available memory for the cache blocks" in output
    assert "nothing is left for the KV cache" in output
    assert "is not ready after 0.5 s. The last look saw: GET" in output
    assert re.search(r"ok=1 .*failed=1 .*skipped=1 .*ignored=1", finished.stdout)
