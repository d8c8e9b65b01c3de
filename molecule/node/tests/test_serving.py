# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node that went the whole way: the server has the GPU, and its tool calls are proven."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def serving_node(host):
    if host.backend.hostname != "gpunode-virgin13":
        pytest.skip("this node serves nothing")


def test_the_server_s_container_has_the_gpu(host):
    answer = host.check_output("docker exec vllm-server nvidia-smi -L")
    assert answer.startswith("GPU 0: NVIDIA RTX 4000 SFF Ada Generation")


def test_a_tool_call_arrives(host):
    address = host.check_output("ip -4 -oneline address show dev eth0").split()[3].split("/")[0]
    tool = {
        "name": "read",
        "description": "Read a file",
        "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}}},
    }
    request = {
        "model": "pocket",
        "temperature": 0,
        "messages": [{"role": "user", "content": "Read the file /srv/molecule/q7-31.txt."}],
        "tools": [{"type": "function", "function": tool}],
    }
    command = "curl -s -H 'Content-Type: application/json' -d %s %s"
    answer = json.loads(host.check_output(command, json.dumps(request), f"http://{address}:8000/v1/chat/completions"))
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "read"
    assert json.loads(call["function"]["arguments"]) == {"filePath": "/srv/molecule/q7-31.txt"}
