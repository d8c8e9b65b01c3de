# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose file that follows from an inventory; for the reference node as published, the one that is kept here."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.profiles import reading

pytestmark = pytest.mark.plays
INVENTORY = reading.ROOT / "inventory.example/reference-node/group_vars/gpunodes.yml"
GOLDEN = Path(__file__).parent / "golden/reference-node.compose"
ROLE = reading.ROOT / "roles/vllm"
_CHECKSUM = re.compile(r"\b[0-9a-f]{64}\b")


def rendered(folder: Path, settings: Path) -> str:
    """compose.yaml as the role writes it with these settings, without the checksums of parser and template."""
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [
            *(str(path) for path in (ROLE / "defaults/main.yml", *sorted((ROLE / "vars/main").glob("*.yml")))),
            str(reading.ROOT / "playbooks/vars/gpunode.yml"),
            str(settings),
        ],
        "vars": {"role_path": str(ROLE), "vllm_gpu_access": "runtime"},
        "tasks": [
            {
                "ansible.builtin.template": {
                    "src": str(ROLE / "templates/compose.yaml.j2"),
                    "dest": str(folder / "compose"),
                }
            }
        ],
    }
    playbook = folder / "play.yml"
    playbook.write_text(json.dumps([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(playbook)],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(reading.ROOT / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return _CHECKSUM.sub("CHECKSUM", (folder / "compose").read_text())


def test_the_compose_file_is_the_one_that_is_kept(tmp_path: Path) -> None:
    assert rendered(tmp_path, INVENTORY) == GOLDEN.read_text()


def test_what_is_kept_is_what_was_published() -> None:
    server = yaml.safe_load(GOLDEN.read_text())["services"]["server"]
    command = " ".join(server["command"])
    for part in (
        "--model Qwen/Qwen2.5-14B-Instruct-AWQ",
        "--quantization awq_marlin",
        "--max-model-len 23232",
        "--enable-auto-tool-choice",
        "--tool-call-parser qwen_tools",
        "--tool-parser-plugin /opt/gpunode/tool_parsers/qwen_tools.py",
        "--chat-template /opt/gpunode/chat_templates/qwen_tools.jinja",
        "--gpu-memory-utilization 0.95",
        "--port 8000",
    ):
        assert part in command, part
    assert server["image"] == "vllm/vllm-openai:v0.9.2" and server["runtime"] == "nvidia"
    assert server["ports"] == ["127.0.0.1:8000:8000"]
    assert "huggingface:/root/.cache/huggingface" in server["volumes"]


def test_a_model_that_needs_no_file_of_ours_mounts_none(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("gpunode_profile: gpt-oss-20b\nvllm_extra_arguments: {tool-server: demo}\n")
    server = yaml.safe_load(rendered(tmp_path, settings))["services"]["server"]
    assert server["labels"] == {"toolserve.gpunode.profile": "gpt-oss-20b"}
    assert "--tool-server demo" in " ".join(server["command"]) and "--chat-template" not in server["command"]


def test_what_the_owner_writes_stays_what_it_is(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    values = {
        "gpunode_profile": "pocket",
        "gpunode_profile_overrides": {"summary": "one line\nname: another"},
        "vllm_model_path": "/srv/my models #1/$5",
        "vllm_image": "registry.example/vllm:1 #2",
    }
    settings.write_text(json.dumps(values))
    compose = yaml.safe_load(rendered(tmp_path, settings))
    server = compose["services"]["server"]
    assert compose["name"] == "vllm"
    assert server["image"] == "registry.example/vllm:1 #2"
    assert "/srv/my models #1/$$5:/models/pocket:ro" in server["volumes"]  # Compose reads $$ as $


def _context(folder: Path, **settings: object) -> str:
    """--max-model-len of Llama 3.1 8B on a card of 20 GB, where it does not get all that the profile asks for."""
    gpu = {
        "name": "a GPU",
        "memory_total_bytes": 20475 << 20,
        "sources": {"memory_total_bytes": "nvml"},
    }
    folder.mkdir(exist_ok=True)
    file = folder / "settings.yml"
    file.write_text(json.dumps({"gpunode_profile": "llama-3.1-8b-instruct", "__vllm_gpu": {"gpus": [gpu]}, **settings}))
    command = yaml.safe_load(rendered(folder, file))["services"]["server"]["command"]
    return str(command[command.index("--max-model-len") + 1])


def test_the_context_is_computed_and_stays_what_it_is(tmp_path: Path) -> None:
    computed = _context(tmp_path)
    assert 8_000 < int(computed) < 32_768
    written = (tmp_path / "compose").read_text()
    for context, kept in ((str(int(computed) - 160), True), ("8192", False)):
        served = written.replace(f'"{computed}"', f'"{context}"')
        found = _context(tmp_path / context, __vllm_rendered={"content": base64.b64encode(served.encode()).decode()})
        assert found == (context if kept else computed)


def test_the_settings_of_the_role_reach_the_computation_and_the_command_line(tmp_path: Path) -> None:
    assert _context(tmp_path, vllm_max_model_len=8192) == "8192"
    assert int(_context(tmp_path, vllm_gpu_memory_utilization=0.97)) > 20_000
    assert '"0.97"' in (tmp_path / "compose").read_text()
    unknown = {"gpus": [{"pci_id": "10de:ffff", "memory_total_bytes": None, "sources": {}}]}
    assert _context(tmp_path, __vllm_gpu=unknown) == "32768"
    assert int(_context(tmp_path, __vllm_gpu=unknown, vllm_gpu_memory_gib=20)) < 32_768


def test_a_template_of_the_users_own_is_served_and_watched(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jinja"
    settings = tmp_path / "settings.yml"
    overrides = {"tool_calls": {"chat_template": "mine.jinja"}}
    settings.write_text(json.dumps({"gpunode_profile_overrides": overrides, "vllm_own_files": [str(mine)]}))
    written = []
    for text in ("one", "two"):
        mine.write_text(text)
        written.append(rendered(tmp_path, settings))
        assert f"mine.jinja: {hashlib.sha256(text.encode()).hexdigest()}" in (tmp_path / "compose").read_text()
    server = yaml.safe_load(written[0])["services"]["server"]
    assert "--chat-template /opt/gpunode/chat_templates/mine.jinja" in " ".join(server["command"])
    assert "toolserve.gpunode.qwen_tools.py" in server["labels"]
