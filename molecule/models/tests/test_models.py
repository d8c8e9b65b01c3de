# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two models on one node, looked at from outside of Ansible; the last tests take one of them away."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
sys.path.append(str(REPOSITORY / "molecule/default/tests"))
from playing import changes, play, said  # noqa: E402

INVENTORY = REPOSITORY / "molecule/inventory/models.yml"
EVIDENCE = REPOSITORY / ".bench/molecule-models"
TEXTFILES = "/var/lib/prometheus/node-exporter"
MODELS = {"chat": (8000, "pocket"), "coder": (8001, "coder")}


def inspected(host, model: str) -> dict[str, Any]:
    return json.loads(host.check_output(f"docker inspect {model}-server"))[0]


def evidence(model: str) -> dict[str, Any]:
    return json.loads((EVIDENCE / f"gpunode-models.{model}.json").read_text(encoding="utf-8"))


def asked(host, model: str) -> dict[str, Any]:
    """The answer to a request for a tool call, without any code of ours in between."""
    port, served_name = MODELS[model]
    address = host.check_output("ip -4 -oneline address show dev eth0").split()[3].split("/")[0]
    parameters = {"type": "object", "properties": {"filePath": {"type": "string"}}}
    function = {"name": "read", "description": "Read a file", "parameters": parameters}
    request = {
        "model": served_name,
        "temperature": 0,
        "messages": [{"role": "user", "content": "Read the file /srv/molecule/q7-31.txt."}],
        "tools": [{"type": "function", "function": function}],
    }
    url = f"http://{address}:{port}/v1/chat/completions"
    header = "Content-Type: application/json"
    return json.loads(host.check_output("curl -s -H %s -d %s %s", header, json.dumps(request), url))


@pytest.mark.parametrize("model", MODELS)
def test_each_answers_at_its_own_port_under_its_own_name(host, model):
    (choice,) = asked(host, model)["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"filePath": "/srv/molecule/q7-31.txt"}


def test_a_template_of_the_users_own_is_served_to_the_one_that_names_it(host):
    arguments = {model: inspected(host, model)["Args"] for model in MODELS}
    assert "/opt/gpunode/chat_templates/own_tools.jinja" in arguments["coder"]
    assert "/opt/gpunode/chat_templates/own_tools.jinja" not in arguments["chat"]
    own = (REPOSITORY / "molecule/models/own_tools.jinja").read_text(encoding="utf-8")
    served = host.check_output("docker exec coder-server cat /opt/gpunode/chat_templates/own_tools.jinja")
    assert served == own.rstrip("\n")
    assert not host.file("/opt/chat/chat_templates/own_tools.jinja").exists


def test_what_is_said_of_one_does_not_reach_the_other(host):
    chat, coder = (host.check_output(f"docker exec {model}-server cat /proc/1/environ").split("\0") for model in MODELS)
    assert "BENCH_MODEL=coder" in coder and "BENCH_MODEL=coder" not in chat
    chat = inspected(host, "chat")["Config"]
    assert (chat["Cmd"][chat["Cmd"].index("--served-model-name") + 1]) == "pocket"


def test_each_was_started_once(host):
    assert [inspected(host, model)["RestartCount"] for model in MODELS] == [0, 0]
    assert host.file("/opt/vllm-chat/compose.yaml").exists and host.file("/opt/vllm-coder/compose.yaml").exists
    assert not host.file("/opt/vllm").exists


@pytest.mark.parametrize("model", MODELS)
def test_each_has_evidence_of_its_own(host, model):
    written = evidence(model)
    assert written["verdict"] in ("pass", "warn")
    assert (written["name"], written["model"]["served_name"]) == (model, MODELS[model][1])
    assert written["container"]["name"] == f"{model}-server"
    figures = host.file(f"{TEXTFILES}/toolserve_verify_{model}.prom").content_string
    assert re.search(rf'toolserve_verify_success{{host="gpunode-models",.*name="{model}"}} 1', figures)
    assert not host.file(f"{TEXTFILES}/toolserve_verify.prom").exists


def test_the_timer_of_one_verifies_that_one(host):
    assert host.check_output("ls /etc/systemd/system | grep gpunode-verify").split() == [
        "gpunode-verify-chat.service",
        "gpunode-verify-chat.timer",
    ]
    assert host.service("gpunode-verify-chat.timer").is_enabled
    textfile = f"{TEXTFILES}/toolserve_verify_chat.prom"
    host.run_expect([0], f"rm {textfile}")
    host.run_expect([0], "systemctl start gpunode-verify-chat.service")
    assert 'name="chat"' in host.file(textfile).content_string


def test_a_model_that_is_asked_for_no_more_is_told_and_removed_on_command_only(host):
    """With the very words of the note."""
    only_chat = json.dumps({"gpunode_models": [{"vllm_project_name": "chat"}]})
    result = play("--tags", "preflight", "--extra-vars", only_chat, inventory=INVENTORY)
    assert result.returncode == 0 and changes(result) == 0, result.stdout
    told = said(result).replace("''", "'")  # as YAML it is printed
    note = re.search(r"The Compose project coder in /opt/vllm-coder .*?teardown -e ('\{.*?\}')", told)
    assert note is not None, result.stdout
    assert inspected(host, "coder")["State"]["Running"]

    chat = inspected(host, "chat")
    removed = play("-e", *shlex.split(note[1]), inventory=INVENTORY, playbook="teardown")
    assert removed.returncode == 0, removed.stdout
    assert host.run("docker inspect coder-server").rc != 0
    assert not host.file("/opt/vllm-coder/compose.yaml").exists
    textfiles = host.check_output(f"ls {TEXTFILES}").split()
    assert textfiles == ["toolserve_verify_chat.prom"]
    assert inspected(host, "chat")["State"]["Pid"] == chat["State"]["Pid"]
    assert asked(host, "chat")["choices"][0]["finish_reason"] == "tool_calls"


def test_verify_goes_on_after_a_model_that_does_not_answer_and_fails_in_the_end():
    before = evidence("chat")["checked_at"]
    quickly = json.dumps({"verify_wait_timeout_seconds": 2, "verify_throughput": False})
    # chat comes first in the list; here it comes last.
    swapped = {
        "gpunode_models": [{"vllm_project_name": "coder", "gpunode_listen_port": 8001}, {"vllm_project_name": "chat"}]
    }
    result = play("-e", quickly, "-e", json.dumps(swapped), inventory=INVENTORY, playbook="verify")
    assert result.returncode != 0 and "Not proven: coder." in said(result)
    assert evidence("coder")["verdict"] == "fail"
    assert evidence("chat")["verdict"] in ("pass", "warn") and evidence("chat")["checked_at"] > before
