# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients role as a playbook runs it, in front of a scripted endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomllib
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint, markup_left

from tests.unit.collection.clients_play import KEY, played

pytestmark = pytest.mark.plays


def test_what_is_proven_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "agent/opencode.json"
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        planned = played(tmp_path, endpoint, "--check")
        assert planned.returncode == 0 and "changed=1" in planned.stdout and not file.exists()
        assert '"limit"' in planned.stdout
        assert played(tmp_path, endpoint).returncode == 0
        content = file.read_bytes()
        assert "changed=0" in played(tmp_path, endpoint).stdout
    assert file.read_bytes() == content
    document = json.loads(content)
    assert document["provider"]["vllm"]["options"] == {"baseURL": endpoint.url, "apiKey": "{env:VLLM_API_KEY}"}
    assert document["provider"]["vllm"]["models"]["pocket"]["limit"] == {"context": 1792, "output": 512}


def test_nothing_is_written_where_tool_calls_fail(tmp_path: Path) -> None:
    with FakeEndpoint(api_key=KEY, spoil=markup_left("tools")).serving() as endpoint:
        done = played(tmp_path, endpoint)
    assert done.returncode == 2 and "parser" in done.stdout
    assert not (tmp_path / "agent").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clients_context": 4096}, "Set clients_context to 1792 or less"),
        ({"clients_agent_prompt": 8000}, "Give the server at least"),
        ({"clients_agent_prompt": 0, "clients_write": ["claude_code"]}, "own prompt takes about 12500"),
        ({"clients_model": "rocket"}, "serves pocket and not rocket"),
        ({"clients_write": ["opencod"]}, "opencod"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked_of_the_model(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        done = played(tmp_path, endpoint, **settings)
    assert done.returncode == 2
    assert said in " ".join(done.stdout.split())
    assert not (tmp_path / "agent").exists()


def test_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        pass
    done = played(tmp_path, endpoint)
    assert done.returncode == 2 and "No file for a client is written" in done.stdout
    assert played(tmp_path, endpoint, "--check").returncode == 0


def test_files_that_leave_the_users_own_alone(tmp_path: Path) -> None:
    claude, codex = tmp_path / "claude/vllm.settings.json", tmp_path / "codex/vllm.config.toml"
    settings = {
        "clients_write": ["claude_code", "codex"],
        "clients_claude_code_path": str(claude),
        "clients_codex_path": str(codex),
    }
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        assert played(tmp_path, endpoint, **settings).returncode == 0
        before = claude.read_bytes(), codex.read_bytes()
        assert "changed=0" in played(tmp_path, endpoint, **settings).stdout
    assert (claude.read_bytes(), codex.read_bytes()) == before
    written = json.loads(claude.read_text())
    assert written["apiKeyHelper"] == "printenv VLLM_API_KEY"
    assert written["env"]["ANTHROPIC_BASE_URL"] == endpoint.url.removesuffix("/v1")
    assert set(written["env"]) >= {"ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "CLAUDE_CODE_MAX_OUTPUT_TOKENS"}
    assert written["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "14792"  # 1792 and what it keeps free by itself
    profile = tomllib.loads(codex.read_text())
    assert profile["model_providers"]["vllm"] == {
        "name": "vLLM",
        "base_url": endpoint.url,
        "wire_api": "responses",
        "env_key": "VLLM_API_KEY",
    }
    assert (profile["model"], profile["model_context_window"]) == ("pocket", 1792)
    assert profile["model_auto_compact_token_limit"] == 1280
    assert profile["agents"] == {"enabled": False}


def test_the_models_of_one_host_do_not_overwrite_each_other(tmp_path: Path) -> None:
    home = tmp_path / "own"
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        for name in ("", "coder"):
            settings = {"clients_write": ["claude_code", "codex", "opencode"], "clients_name": name}
            paths = {
                "clients_claude_code_path": f"{home}/{{{{ clients_provider }}}}.settings.json",
                "clients_codex_path": f"{home}/{{{{ clients_provider }}}}.config.toml",
            }
            assert played(tmp_path, endpoint, **settings, **paths).returncode == 0
    names = {"vllm.settings.json", "vllm.config.toml", "vllm-coder.settings.json", "vllm-coder.config.toml"}
    assert {file.name for file in home.iterdir()} == names
    document = json.loads((tmp_path / "agent/opencode.json").read_text())
    assert set(document["provider"]) == {"vllm", "vllm-coder"}
    assert set(tomllib.loads((home / "vllm-coder.config.toml").read_text())["model_providers"]) == {"vllm-coder"}


@pytest.mark.parametrize(
    ("client", "release", "api"), [("codex", "0.9.2", "Responses"), ("claude_code", "0.11.0", "Messages")]
)
def test_a_release_without_the_api_of_a_client(tmp_path: Path, client: str, release: str, api: str) -> None:
    with FakeEndpoint(api_key=KEY, version=release).serving() as endpoint:
        done = played(tmp_path, endpoint, clients_write=[client])
    assert done.returncode == 2 and f"{api} API" in " ".join(done.stdout.split())


def test_nobody_has_asked_for_a_file(tmp_path: Path) -> None:
    with FakeEndpoint(api_key=KEY).serving() as endpoint:
        done = played(tmp_path, endpoint, clients_write=[])
    assert done.returncode == 0 and "changed=0" in done.stdout
