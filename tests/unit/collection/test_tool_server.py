# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that gpt-oss calls on the server: what is rendered, what is refused, which MCP server counts as up."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.profiles import reading

pytestmark = pytest.mark.plays

ROLE = reading.ROOT / "roles/vllm"
PROBE = ROLE / "files/mcp_probe.py"
KEY = "exa-canary"


Settings = dict[str, Any]
MCP = "10.0.0.5:8001"
IMAGE_WITHOUT = {"__vllm_image_found": {"rc": 0}, "__vllm_gpt_oss_in_image": {"rc": 1}, "vllm_image": "own:1"}
# What must be refused, and what the reason has to say.
REFUSED: dict[str, tuple[Settings, str]] = {
    "another word": ({"vllm_tool_server": "all"}, "It has to be none, demo, or a list"),
    "a URL": ({"vllm_tool_server": ["http://10.0.0.5:8001/sse"]}, "leave scheme and path out"),
    "no port": ({"vllm_tool_server": ["10.0.0.5"]}, "what is no host:port: 10.0.0.5"),
    "localhost": ({"vllm_tool_server": ["localhost:8001"]}, "that is the container itself"),
    "127.0.0.1": ({"vllm_tool_server": ["127.0.0.1:8001"]}, "that is the container itself"),
    "another family": ({"vllm_tool_server": [MCP], "profile": "llama-3.1-8b-instruct"}, "is no gpt-oss"),
    "silent": (
        {"vllm_tool_server": [MCP], "__vllm_mcp_from_node": {"stdout": json.dumps({MCP: "refused"})}},
        "No MCP server answers from this node: 10.0.0.5:8001: refused",
    ),
    "vLLM's image": (
        {"vllm_tool_server": "demo", "vllm_image": "vllm/vllm-openai:v0.32.0"},
        "lacks the Python package gpt-oss",
    ),
    "an image": ({"vllm_tool_server": "demo", **IMAGE_WITHOUT}, "lacks the Python package gpt-oss"),
    "a backend": ({"vllm_python_execution_backend": "uv"}, "which gpt-oss does not know"),
}
TAKEN: dict[str, Settings] = {
    "none": {"profile": "hermes-3-llama-3.1-8b"},
    "mcp": {"vllm_tool_server": [MCP, "tools.example:8002"], "vllm_exa_api_key": KEY},
    "demo": {
        "vllm_tool_server": "demo",
        "vllm_exa_api_key": KEY,
        "vllm_python_execution_backend": "dangerously_use_uv",
        "vllm_image": "registry.example/vllm-with-gpt-oss:1",
    },
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the role's variables come to, by the names above."""
    folder = tmp_path_factory.mktemp("tool-server")
    cases = TAKEN | {name: settings for name, (settings, _reason) in REFUSED.items()}
    plays = [_play(folder, number, dict(settings)) for number, settings in enumerate(cases.values())]
    (folder / "play.yml").write_text(json.dumps(plays))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(folder / "play.yml")],
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((folder / f"found-{number}").read_text()) for number, name in enumerate(cases)}


def _play(folder: Path, number: int, settings: Settings) -> dict[str, Any]:
    wanted = ("settings", "environment", "reasons", "notes")
    settings |= {
        "role_path": str(ROLE),
        "vllm_profile": reading.read(settings.pop("profile", "gpt-oss-20b")),
        "__vllm_image_found": settings.get("__vllm_image_found", {"rc": 1}),
        "found": {name: f"{{{{ __vllm_tool_server_{name} }}}}" for name in wanted},
    }
    (folder / f"settings-{number}.json").write_text(json.dumps(settings))
    return {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [
            str(ROLE / "defaults/main.yml"),
            str(ROLE / "vars/main/tool_server.yml"),
            str(folder / f"settings-{number}.json"),
        ],
        "tasks": [{"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": f"{folder}/found-{number}"}}],
    }


def test_without_tools_nothing_is_rendered(found: dict[str, Any]) -> None:
    assert found["none"] == {"settings": {}, "environment": {}, "reasons": [], "notes": []}


def test_mcp_servers_are_one_option(found: dict[str, Any]) -> None:
    seen = found["mcp"]
    assert seen["settings"] == {"tool-server": "10.0.0.5:8001,tools.example:8002"}
    assert seen["environment"] == {} and seen["reasons"] == []
    assert "not used" in seen["notes"][0]


def test_the_demo_tools_get_their_key_by_the_environment_alone(found: dict[str, Any]) -> None:
    seen = found["demo"]
    assert seen["settings"] == {"tool-server": "demo"}
    assert seen["environment"] == {"EXA_API_KEY": KEY, "PYTHON_EXECUTION_BACKEND": "dangerously_use_uv"}
    assert seen["reasons"] == []
    assert "without any isolation" in seen["notes"][0] and KEY not in str([seen["settings"], seen["notes"]])


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused(name: str, found: dict[str, Any]) -> None:
    reasons = found[name]["reasons"]
    assert len(reasons) == 1 and REFUSED[name][1] in reasons[0]


class _Answer(BaseHTTPRequestHandler):
    """An MCP server as far as it is looked at, and what might be taken for one."""

    def do_GET(self) -> None:
        kind, body = self.server.said  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if kind == "text/event-stream":
            threading.Event().wait(20)  # such a stream stays open

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Any]:
    started: list[ThreadingHTTPServer] = []

    def start(kind: str, body: bytes) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
        server.daemon_threads = True
        server.said = (kind, body)  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def probed(*addresses: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROBE.read_text(), *addresses], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("first", [b"event: endpoint\r\n", b": ping\nevent:endpoint\n"])
def test_an_mcp_server_is_up(serve: Any, first: bytes) -> None:
    assert probed(serve("text/event-stream", first + b"data: /messages/?session_id=1\n\n")) == {}


def test_what_is_no_mcp_server_is_told(serve: Any) -> None:
    web = serve("text/html", b"<html>")
    other = serve("text/event-stream", b"data: 1\n\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    found = probed(web, other, closed)
    assert "text/html" in found[web] and "endpoint event" in found[other] and "refused" in found[closed]
