# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the node after the converge, looked at from outside of Ansible."""

from __future__ import annotations

import json

import yaml

PROJECT = "/opt/vllm"


def own_address(host) -> str:
    """The node's address, not one of the bridges that Docker has made."""
    return host.check_output("ip -4 -oneline address show dev eth0").split()[3].split("/")[0]


def inspected(host) -> dict:
    return json.loads(host.check_output("docker inspect vllm-server"))[0]


def test_docker_engine_runs_and_starts_at_boot(host):
    docker = host.service("docker")
    assert docker.is_running
    assert docker.is_enabled


def test_docker_has_compose_v2(host):
    assert host.check_output("docker compose version --short").lstrip("v").split(".")[0] == "2"


def test_container_logs_are_bounded(host):
    log = inspected(host)["HostConfig"]["LogConfig"]
    assert log["Type"] == "json-file"
    assert log["Config"] == {"max-size": "50m", "max-file": "5"}


def test_secrets_file_is_private(host):
    environment = host.file(f"{PROJECT}/vllm.env")
    assert (environment.user, environment.group, environment.mode) == ("root", "root", 0o600)


def test_environment_reaches_the_server_unchanged(host):
    environment = host.check_output("docker exec vllm-server cat /proc/1/environ").split("\0")
    assert "BENCH_DOLLAR=a$HOME #b" in environment


def test_container_is_healthy_and_was_never_restarted(host):
    container = inspected(host)
    assert container["State"]["Status"] == "running"
    assert container["RestartCount"] == 0


def test_parser_and_template_are_mounted_read_only(host):
    mounts = {mount["Destination"]: mount for mount in inspected(host)["Mounts"]}
    for folder in ("/opt/gpunode/tool_parsers", "/opt/gpunode/chat_templates", "/models/pocket"):
        assert mounts[folder]["RW"] is False


def test_command_line_has_the_tool_flags(host):
    compose = yaml.safe_load(host.check_output(f"cat {PROJECT}/compose.yaml"))
    command = compose["services"]["server"]["command"]
    assert "--enable-auto-tool-choice" in command
    assert command[command.index("--tool-call-parser") + 1] == "qwen_tools"


def test_api_is_published_on_one_address_only(host):
    address = own_address(host)
    listeners = host.check_output("ss --no-header --listening --tcp --numeric sport = :8000").split()
    assert f"{address}:8000" in listeners
    assert "0.0.0.0:8000" not in listeners
    assert "*:8000" not in listeners


def test_a_tool_call_arrives(host):
    """Once more without any code of ours between vLLM and this assertion."""
    address = own_address(host)
    request = {
        "model": "pocket",
        "temperature": 0,
        "messages": [{"role": "user", "content": "Read the file /srv/molecule/q7-31.txt."}],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "read",
                    "description": "Read a file",
                    "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}}},
                },
            }
        ],
    }
    answer = json.loads(
        host.check_output(
            "curl -s -H 'Content-Type: application/json' -d %s %s",
            json.dumps(request),
            f"http://{address}:8000/v1/chat/completions",
        )
    )
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert not choice["message"]["content"]
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "read"
    assert json.loads(call["function"]["arguments"]) == {"filePath": "/srv/molecule/q7-31.txt"}


def test_the_timer_repeats_the_verification(host):
    assert host.service("gpunode-verify.timer").is_enabled
    assert host.file("/opt/gpunode-verify/settings.json").mode == 0o600
    textfile = "/var/lib/prometheus/node-exporter/toolserve_verify.prom"
    host.run_expect([0], f"rm {textfile}")
    repeated = host.run("systemctl start gpunode-verify.service")
    assert repeated.rc == 0, host.check_output("journalctl --no-pager --unit gpunode-verify.service")
    assert "\ntoolserve_verify_success{" in host.file(textfile).content_string


def test_containers_go_on_while_docker_restarts(host):
    assert host.check_output("docker info --format '{{.LiveRestoreEnabled}}'") == "true"


def test_container_may_open_as_many_files_as_daemon_json_says(host):
    assert host.check_output("docker exec vllm-server sh -c 'ulimit -n'") == "8192"
