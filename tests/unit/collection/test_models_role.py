# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role models as the playbooks use it: what the other roles see of each model, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.plays
REPOSITORY = Path(__file__).parents[3]
SEEN = [
    "vllm_project_dir",
    "vllm_release",
    "vllm_image",
    "vllm_environment",
    "vllm_listen_port",
    "verify_base_url",
    "clients_name",
    "api",
    "proven",
]


def seen(folder: Path, inventory: dict[str, Any], models: list[dict[str, Any]], *arguments: str) -> tuple[Any, str]:
    """What the roles see while they work on each model, in two rounds; and the driver that all need."""
    watching = [
        {"ansible.builtin.include_role": {"name": "toolserve.gpunode.models", "tasks_from": "select"}},
        {
            "ansible.builtin.set_fact": {
                "seen": "{{ seen | default([]) + [dict(names | zip(values))] }}",
            },
            "vars": {
                "names": SEEN,
                "values": "{{ query('ansible.builtin.vars', *names, default='unset') }}",
                "api": "{{ vllm_api_key }}",
                "proven": "{{ verify_profile.served_name }}",
            },
        },
        # As the role vllm does, which the next model must not be taken for.
        {"ansible.builtin.set_fact": {"gpunode_served_profile": {"served_name": "another one"}}},
    ]
    (folder / "watch.yml").write_text(json.dumps(watching))
    loop = {
        "ansible.builtin.include_tasks": "watch.yml",
        "loop": "{{ gpunode_each_model | selectattr('chosen') }}",
        "loop_control": {"loop_var": "gpunode_model", "label": "{{ gpunode_model.name }}"},
    }
    result = {"seen": "{{ seen }}", "driver": "{{ nvidia_driver_minimum_version }}"}
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(REPOSITORY / "playbooks/vars/gpunode.yml")],
        "roles": ["toolserve.gpunode.models"],
        "tasks": [
            loop,
            {"ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(folder / "seen.json")}},
        ],
        "vars": {"result": result},
    }
    # A second play of the same run must not take the last model's settings for the inventory's.
    first = {**play, "tasks": [loop]}
    (folder / "play.yml").write_text(json.dumps([first, play]))
    hosts = {"all": {"hosts": {"node": {**inventory, "gpunode_models": models}}}}
    (folder / "hosts.yml").write_text(json.dumps(hosts))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-v", "-i", "hosts.yml", "play.yml", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "seen.json").read_text()), done.stdout


def test_each_model_has_its_own_settings_in_every_round(tmp_path: Path) -> None:
    inventory = {
        "gpunode_listen_port": 9000,
        "gpunode_api_key": "canary-of-all",
        "vllm_environment": {"FROM": "inventory"},
    }
    models = [
        {
            "vllm_project_name": "chat",
            "vllm_image": "mine:1",
            "vllm_environment": {"FROM": "chat"},
            "gpunode_api_key": "canary-of-chat",
        },
        {"vllm_project_name": "coder", "vllm_release": "0.19.1", "gpunode_listen_port": 8001},
        {"vllm_project_name": "third"},
    ]
    result, _printed = seen(tmp_path, inventory, models)
    chat = ["/opt/vllm-chat", "0.32.0", "mine:1", {"FROM": "chat"}, 9000]
    chat += ["http://127.0.0.1:9000/v1", "chat", "canary-of-chat"]
    coder = ["/opt/vllm-coder", "0.19.1", "vllm/vllm-openai:v0.19.1", {"FROM": "inventory"}, 8001]
    coder += ["http://127.0.0.1:8001/v1", "coder", "canary-of-all"]
    third = ["/opt/vllm-third", "0.32.0", "vllm/vllm-openai:v0.32.0", {"FROM": "inventory"}, 9000]
    third += ["http://127.0.0.1:9000/v1", "third", "canary-of-all"]
    proven = ["qwen2.5-14b-instruct-awq"]
    expected = [dict(zip(SEEN, values + proven, strict=True)) for values in (chat, coder, third)]
    assert result["seen"] == expected + expected
    assert result["driver"] == "580.65.06"  # what 0.32.0 needs; 0.19.1 is content with 570


@pytest.mark.parametrize(("others", "names"), [([], [""]), (["coder"], ["", "coder"])])
def test_a_second_model_does_not_rename_the_first_one_to_its_clients(
    tmp_path: Path, others: list[str], names: list[str]
) -> None:
    models = [{"vllm_project_name": name} for name in ["vllm", *others]]
    result, _printed = seen(tmp_path, {}, models)
    assert [one["clients_name"] for one in result["seen"]] == names * 2


def test_the_role_itself_shows_no_secret(tmp_path: Path) -> None:
    models = [{"vllm_project_name": "chat", "vllm_hf_token": "canary-of-chat"}]
    _result, printed = seen(tmp_path, {"vllm_hf_token": "canary-of-all"}, models)
    assert "canary" not in printed


def test_the_command_line_outranks_the_list(tmp_path: Path) -> None:
    models = [{"vllm_project_name": "chat", "vllm_release": "0.19.1"}, {"vllm_project_name": "coder"}]
    chosen = ["-e", "vllm_release=0.20.2", "-e", "gpunode_only=coder"]
    result, _printed = seen(tmp_path, {}, models, *chosen)
    assert [(one["vllm_project_dir"], one["vllm_release"]) for one in result["seen"]] == [
        ("/opt/vllm-coder", "0.20.2")
    ] * 2
