# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of all clients as a playbook writes them; that the clients accept them: tests/clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_settings import CLIENTS
from ansible_collections.toolserve.gpunode.plugins.module_utils.jsonc_document import read
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint, flags_missing

from tests.unit.collection.clients_play import KEY, played

pytestmark = pytest.mark.plays

ALL = {"clients_write": list(CLIENTS), "clients_opencode_path": "~/.config/opencode/opencode.json"}
ZED = """{
  // my own
  "theme": "dark", // at night
  "agent": { "default_model": { "provider": "anthropic", "model": "mine" } },
  "language_models": {
    "openai_compatible": {
      "vllm": { "api_url": "http://192.0.2.1/v1", "available_models": [
        { "name": "other", "max_tokens": 7 },
        { "name": "pocket", "max_tokens": 9, "display_name": "My model" },
      ] },
    },
  },
}
"""


def files(home: Path) -> dict[str, str]:
    """What is there but for Ansible's own."""
    return {
        str(file.relative_to(home)): file.read_text()
        for file in home.rglob("*")
        if file.is_file() and ".ansible" not in file.parts
    }


def test_the_files_of_all_clients(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config/zed").mkdir(parents=True)
    (home / ".config/zed/settings.json").write_text(ZED)
    (home / ".aider.conf.yml").write_text("# my own\ndark-mode: true\n")
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        assert played(tmp_path, endpoint, **ALL).returncode == 0
        written = files(home)
        assert "changed=0" in played(tmp_path, endpoint, **ALL).stdout
    assert files(home) == written

    (model,) = yaml.safe_load(written[".continue/configs/vllm.yaml"])["models"]
    assert (model["model"], model["apiBase"]) == ("pocket", endpoint.url)
    assert model["apiKey"] == "${{ secrets.VLLM_API_KEY }}" and model["capabilities"] == ["tool_use"]
    assert model["defaultCompletionOptions"] == {"contextLength": 1792, "maxTokens": 512}

    for name in (".ogx/vllm.config.yaml", ".llama/vllm.run.yaml"):
        stack = yaml.safe_load(written[name])
        (inference,) = stack["providers"]["inference"]
        config = {"base_url": endpoint.url, "max_tokens": 512, "api_token": "${env.VLLM_API_KEY}"}
        assert (inference["provider_type"], inference["config"]) == ("remote::vllm", config)
        (tools,) = stack["providers"]["tool_runtime"]
        assert tools["provider_type"] == "remote::model-context-protocol"
        assert stack["server"]["host"] == "127.0.0.1"

    aider = yaml.safe_load(written[".aider.vllm.conf.yml"])
    assert (aider["model"], aider["openai-api-base"]) == ("openai/pocket", endpoint.url)
    settings, metadata = (Path(aider[f"model-{kind}-file"]).read_text() for kind in ("settings", "metadata"))
    assert yaml.safe_load(settings)[0]["extra_params"] == {"max_tokens": 512}
    assert read(metadata.encode())["openai/pocket"]["max_input_tokens"] == 1280
    assert written[".aider.conf.yml"] == "# my own\ndark-mode: true\n"

    zed = written[".config/zed/settings.json"]
    assert "// my own" in zed and "// at night" in zed
    document = read(zed.encode())
    assert document["agent"]["default_model"]["model"] == "mine"
    server = document["language_models"]["openai_compatible"]["vllm"]
    other, pocket = server["available_models"]
    assert server["api_url"] == endpoint.url and other == {"name": "other", "max_tokens": 7}
    assert (pocket["max_tokens"], pocket["max_output_tokens"], pocket["display_name"]) == (1792, 512, "My model")

    models = json.loads(written[".cline/vllm/settings/models.json"])["providers"]["openai-compatible"]["models"]
    assert (models["pocket"]["contextWindow"], models["pocket"]["maxTokens"]) == (1792, 512)


def test_the_example_works_and_holds_no_key(tmp_path: Path) -> None:
    home, own = tmp_path / "home", {**os.environ, "VLLM_API_KEY": KEY}
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        assert played(tmp_path, endpoint, clients_write=["example"]).returncode == 0
        command = ["sh", str(home / "vllm-example/chat.sh")]
        done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
        (call,) = json.loads(done.stdout)["choices"][0]["message"]["tool_calls"]
        assert call["function"] == {"name": "read", "arguments": '{"filePath": "notes.txt"}'}
        assert endpoint.requests[-1]["max_tokens"] == 512
        own.pop("VLLM_API_KEY")
        asked = len(endpoint.requests)
        done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "holds no key" in done.stderr and len(endpoint.requests) == asked


def test_no_client_gets_a_file_where_tool_calls_fail(tmp_path: Path) -> None:
    with FakeEndpoint(api_key=KEY, spoil=flags_missing).serving() as endpoint:
        done = played(tmp_path, endpoint, **ALL)
    assert done.returncode == 2 and "--enable-auto-tool-choice" in done.stdout
    assert files(tmp_path / "home") == {}


def test_what_somebody_has_changed_stays_and_the_text_to_paste_is_shown(tmp_path: Path) -> None:
    home, settings = tmp_path / "home", {"clients_write": ["continue"]}
    file = home / ".continue/configs/vllm.yaml"
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        assert played(tmp_path, endpoint, **settings).returncode == 0
        file.write_text(f"{file.read_text()}rules: [mine]  # my own\n")
        theirs = files(home)
        assert "changed=0" in played(tmp_path, endpoint, **settings).stdout  # it says what it has to
        done = played(tmp_path, endpoint, **settings, clients_output=400)
    assert done.returncode == 2 and "maxTokens: 400" in done.stdout
    assert files(home) == theirs


def test_a_server_without_a_key(tmp_path: Path) -> None:
    with FakeEndpoint().serving() as endpoint:
        assert played(tmp_path, endpoint, **ALL, clients_api_key="").returncode == 0
    written = files(tmp_path / "home")
    assert [name for name, text in written.items() if "VLLM_API_KEY" in text] == []
    done = subprocess.run(
        ["sh", "-n", str(tmp_path / "home/vllm-example/chat.sh")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0


def test_another_host_and_its_user(tmp_path: Path) -> None:
    """Its Python has another home, and its inventory becomes somebody who is not there."""
    python, desk = tmp_path / "python", tmp_path / "desk"
    python.write_text(f'#!/bin/sh\nHOME={desk} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    inventory = tmp_path / "hosts"
    inventory.write_text(
        "localhost\n"
        f"desk ansible_connection=local ansible_python_interpreter={python} ansible_become=true "
        "ansible_become_user=no-one\n"
        "away ansible_host=127.0.0.1 ansible_port=9\n"
    )
    clients = {"clients_write": ["aider", "zed"], "inventory": str(inventory)}
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        assert played(tmp_path, endpoint, **clients, clients_hosts=["desk"]).returncode == 0
        assert files(tmp_path / "home") == {}
        settings = yaml.safe_load((desk / ".aider.vllm.conf.yml").read_text())["model-settings-file"]
        assert settings == str(desk / ".aider.vllm.model.settings.yml")
        # The play's connection for localhost is not that of other hosts: nothing of theirs is written here.
        assert played(tmp_path, endpoint, **clients, clients_hosts=["away"]).returncode != 0
    assert files(tmp_path / "home") == {}


@pytest.mark.parametrize(
    ("settings", "reasons"),
    [
        ({"clients_write": ["zed"], "clients_hosts": ["localhost", "desk"]}, ["clients_hosts has desk"]),
        ({"clients_write": [], "clients_hosts": ["desk"]}, []),
        ({"clients_write": ["zed"], "clients_hosts": ["localhost"]}, []),
    ],
)
def test_preflight(tmp_path: Path, settings: dict[str, Any], reasons: list[str]) -> None:
    role = {"name": "toolserve.gpunode.clients", "tasks_from": "preflight"}
    found = "{{ gpunode_reasons_to_stop | map('regex_replace', ', which.*', '') }}"
    tasks = [
        {"ansible.builtin.include_role": role},
        {"ansible.builtin.assert": {"that": "found == wanted"}, "vars": {"found": found, "wanted": reasons}},
    ]
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": settings, "tasks": tasks}])
    )
    repository = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(repository / "collections")},
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
