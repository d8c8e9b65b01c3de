# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: from this machine to a node that serves real vLLM and has proven its tool calls."""

from __future__ import annotations

import json
import os
import shutil
import socket
import urllib.request

import docker
from docker.errors import NotFound

from . import engine
from .ansible import playbook
from .console import BenchError, say, step
from .prepare import STATE, prepare

_INVENTORY = "inventory.example/demo/hosts.yml"
_NODE = "gpunode-demo"
_PORT = int(os.environ.get("DEMO_PORT") or 8000)
_REPORT = STATE / "report"
_PARSERS = {"qwen_tools": "qwen_tools.py"}


def up(parser: str) -> int:
    """Provision the demo node and verify it; returns the exit code of the verification."""
    say("A node without a GPU, real vLLM on the CPU, the pocket model. First run: about 10 minutes; later: about 1.")
    client = prepare("13")
    _refuse_foreign_port(client)
    with step(f"Node {_NODE}"):
        if playbook("tests/bench/create_nodes.yml", _INVENTORY, quiet=True) != 0:
            raise BenchError("The node container did not start; Ansible's output is above.")
    tool_calls = {"parser": parser, "parser_plugin": _PARSERS.get(parser)}
    settings = {"gpunode_profile_overrides": {"tool_calls": tool_calls}, "verify_report_dir": str(_REPORT)}
    say("==> ansible-playbook site.yml")
    code = playbook("site.yml", _INVENTORY, "-e", json.dumps(settings))
    _show_hints()
    return code


def down() -> int:
    """Remove the demo's node and its data; the engine and the cached images stay."""
    client = engine.connect()
    if client is None:
        raise BenchError(
            "No Docker engine answers, so there is nothing that could be removed. Start it first: make demo"
        )
    with step(f"Removing the container {_NODE} and its Docker data"):
        if playbook("tests/bench/destroy_nodes.yml", _INVENTORY, quiet=True) != 0:
            raise BenchError("The node could not be removed; Ansible's output is above.")
    shutil.rmtree(_REPORT, ignore_errors=True)
    say("The cached images stay for the next time; make clean removes them too.")
    return 0


def _refuse_foreign_port(client: docker.DockerClient) -> None:
    try:
        if client.containers.get(_NODE).status == "running":
            return
    except NotFound:
        pass
    with socket.socket() as probe:
        # As Docker's own proxy does it: a connection in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _PORT))
        except OSError as error:
            raise BenchError(
                f"Port {_PORT} of this machine is in use ({error.strerror}).\n"
                "Stop what listens there, or choose another: make demo DEMO_PORT=8001"
            ) from error


def _show_hints() -> None:
    url = f"http://127.0.0.1:{_PORT}/v1"
    request = STATE / "request.json"
    try:
        urllib.request.urlopen(f"{url}/models", timeout=5).close()
    except OSError:
        say(f"\nThe endpoint does not answer. Log of the server: docker exec {_NODE} docker logs vllm-server")
        return
    tool = {
        "type": "function",
        "function": {
            "name": "read",
            "description": "Read a file",
            "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}}, "required": ["filePath"]},
        },
    }
    message = {"role": "user", "content": "Read the file /srv/demo/hello-42.txt."}
    body = json.dumps({"model": "pocket", "messages": [message], "tools": [tool], "temperature": 0})
    request.write_text(body + "\n")
    say(
        f"""
The report as files: {_REPORT.relative_to(STATE.parent)}/{_NODE}.md, .json, .junit.xml
The endpoint runs on: {url}  (model: pocket)
  ask it        curl -s -H 'Content-Type: application/json' -d @.bench/{request.name} {url}/chat/completions
  its log       docker exec {_NODE} docker logs --tail 50 -f vllm-server
  a shell       docker exec -it {_NODE} bash
  prove again   .venv/bin/ansible-playbook -i {_INVENTORY} playbooks/verify.yml
  remove it     make demo-down"""
    )
