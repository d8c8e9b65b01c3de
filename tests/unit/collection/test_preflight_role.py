# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight of site.yml as a user runs it, on a node made up of facts and of commands with known answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.plays
REPOSITORY = Path(__file__).parents[3]
# What setup would have gathered: a node on which nothing is wrong.
FACTS = {
    "distribution": "Debian",
    "distribution_version": "13.2",
    "distribution_release": "trixie",
    "architecture": "x86_64",
    "service_mgr": "systemd",
    "python_version": "3.13.5",
    "python": {"executable": "/usr/bin/python3"},
    "effective_user_id": 0,
    "user_id": "root",
    "memtotal_mb": 64000,
    "all_ipv4_addresses": ["10.0.0.5"],
    "kernel": "6.12.0-1-amd64",
}
SETTINGS = {"gpunode_accelerator": "cpu", "gpunode_profile": "pocket", "vllm_model_path": "/srv/absent"}
SQUATTER = 'LISTEN 0 5 0.0.0.0:8000 0.0.0.0:* users:(("nginx",pid=7,fd=3))'
COMMANDS = {
    "ss": f"echo '{SQUATTER}'",
    "docker": 'echo "${DOCKER_HOST:-the engine}" >> asked; exit 1',
    "systemctl": "echo ActiveState=inactive; echo MainPID=0",
    "df": "echo 'Avail Filesystem File'; echo '900000000000 /dev/sda1 /'; exit 1",
}


def preflight(
    folder: Path, facts: dict[str, Any] | None = None, commands: dict[str, str] | None = None, **settings: Any
) -> tuple[str, str]:
    """The list that the play ends with, on one line, and all that it printed."""
    programs = folder / "bin"
    programs.mkdir()
    for name, script in {**COMMANDS, **(commands or {})}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(REPOSITORY / "playbooks/vars/gpunode.yml")],
        "pre_tasks": [
            {"ansible.builtin.set_fact": {**FACTS, **(facts or {}), "cacheable": True}, "tags": ["always"]},
        ],
        "roles": [
            {"role": "toolserve.gpunode.models", "tags": ["always"]},
            {"role": "toolserve.gpunode.preflight", "tags": ["preflight"]},
        ],
        "tasks": [{"ansible.builtin.debug": {"msg": "the next role has begun"}, "tags": ["preflight"]}],
    }
    playbook = folder / "play.yml"
    playbook.write_text(json.dumps([play]))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(playbook), "--tags", "preflight"]
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOLOR": "1",
    }
    command += ["--extra-vars", json.dumps({**SETTINGS, **settings})]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)  # shown where a test fails
    assert done.returncode == 2 and "the next role has begun" not in done.stdout
    assert set(re.findall(r"changed=(\d+)", done.stdout)) == {"0"}
    text = " ".join(done.stdout.split())
    return text[text.rindex("Nothing was changed on this node.") :], done.stdout


def test_all_reasons_are_told_in_one_run(tmp_path: Path) -> None:
    told, _all = preflight(
        tmp_path,
        {"distribution_version": "11.9", "service_mgr": "openrc", "effective_user_id": 1000, "memtotal_mb": 2000},
        gpunode_listen_address="10.0.0.5",
        gpunode_api_key="",
        vllm_release="0.9.2",
        vllm_extra_arguments={"tool-call-parser": "hermes"},
        vllm_environment={"A": "it's"},
        vllm_image_source="present",
        gpunode_profile_overrides={"tool_calls": {"parser_plugin": "mine.py"}, "model": {"gated": True}},
        vllm_hf_token="hf_x",
        gpunode_listen_adress="0.0.0.0",
        verify_timer=True,
    )
    expected = [
        "This node runs Debian 11.9.",
        "not systemd.",
        "not as root.",
        "pocket needs vLLM 0.32.0 or newer",
        "files that neither this role nor vllm_own_files has: mine.py",
        "holds a single quote or a line break",
        "/srv/absent/config.json does not exist on this node",
        "vllm_image_source is present, but the image",
        "vllm_extra_arguments sets tool-call-parser",
        "gpunode_listen_address is 10.0.0.5 and gpunode_api_key is not set",
        "must not be reachable from outside",
        "Port 8000 of this node is in use already, by nginx (pid 7)",
        "This node has 2.0 GiB of memory",
        "verify_timer is true, but verify_textfile_dir is empty",
    ]
    expected.append("sets gpunode_listen_adress, which no role reads. Probably meant: gpunode_listen_address")
    assert [reason for reason in expected if reason not in told] == []
    assert "behind a licence" not in told  # there is a token


def test_own_files_that_cannot_be_served_are_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for name in ("qwen_tools.jinja", "mine.jinja", "other/mine.jinja", "notes.txt", "fine.jinja"):
        (tmp_path / name).write_text("x")
    told, _all = preflight(
        tmp_path,
        vllm_own_files=[
            "qwen_tools.jinja",
            "mine.jinja",
            str(tmp_path / "other/mine.jinja"),
            "notes.txt",
            "absent.py",
            "fine.jinja",
        ],
    )
    assert f"names what does not exist on this machine: {tmp_path}/absent.py." in told
    assert "and notes.txt is neither" in told
    assert "vllm_own_files has qwen_tools.jinja, mine.jinja, as this role" in told
    assert "fine.jinja" not in told


def test_a_node_on_which_one_thing_is_wrong_is_told_nothing_else(tmp_path: Path) -> None:
    gated = {"model": {"local": False, "gated": True}}
    told, printed = preflight(
        tmp_path,
        gpunode_profile_overrides=gated,
        gpunode_listen_port=8001,
        model_weights_source="none",
        vllm_model_path="",
    )
    reasons = re.findall(r" (\d+)\. (.*?)(?= \d+\. |$)", told)
    ours = [reason for _number, reason in reasons if "docker" not in reason.lower()]
    assert len(ours) == 1 and "toolserve/pocket is behind a licence, and vllm_hf_token is not set" in ours[0]
    assert "inference runs on the CPU" in " ".join(printed.split())


@pytest.mark.parametrize(("state", "engine"), [("active", True), ("inactive", False), ("failed", False)])
def test_an_engine_that_is_stopped_is_asked_nothing(tmp_path: Path, state: str, engine: bool) -> None:
    """Its socket would start it."""
    systemctl = f'[ "$1" = is-active ] && echo {state} || {{ {COMMANDS["systemctl"]}; }}'
    preflight(tmp_path, {"distribution": "Fedora"}, {"systemctl": systemctl})
    asked = set((tmp_path / "asked").read_text().split("\n")) - {""}
    assert asked == {"the engine" if engine else "unix:///run/no-engine-is-asked.sock"}


def test_weights_that_the_hub_cannot_give_are_one_reason(tmp_path: Path) -> None:
    told, _all = preflight(
        tmp_path,
        gpunode_profile_overrides={"model": {"local": False, "id": "toolserve/open"}},
        gpunode_listen_port=8001,
        model_weights_hub_url="http://127.0.0.1:9",
        vllm_model_path="",
    )
    assert "does not reach the model hub http://127.0.0.1:9" in told
    assert "config.json" not in told and "behind a licence" not in told


def test_a_malformed_revision_is_told_without_asking_the_hub(tmp_path: Path) -> None:
    told, _all = preflight(
        tmp_path,
        gpunode_profile_overrides={"model": {"local": False, "id": "toolserve/open"}},
        model_weights_hub_url="http://127.0.0.1:9",
        model_weights_revision="539535859b13",
        vllm_model_path="",
    )
    assert "looks like a shortened commit" in told and "does not reach" not in told


def test_a_profile_that_cannot_be_read_is_one_reason_among_the_others(tmp_path: Path) -> None:
    told, printed = preflight(tmp_path, {"distribution": "Fedora"}, gpunode_profile="pockt")
    assert "Did you mean pocket?" in told and "This node runs Fedora" in told
    assert "nothing was looked at that depends on it" in " ".join(printed.split())


def test_what_cannot_be_looked_at_is_one_reason_among_the_others(tmp_path: Path) -> None:
    told, _all = preflight(tmp_path, {"distribution": "Fedora"}, vllm_extra_arguments=["no", "mapping"])
    assert "This node runs Fedora" in told
    assert "The role vllm could not look at the node" in told and "vllm_extra_arguments" in told


def test_several_models_are_looked_at_each_and_together(tmp_path: Path) -> None:
    wide = {"gpunode_listen_address": "10.0.0.5"}
    models = [
        {"vllm_project_name": "chat", "verify_timer": True, "gpunode_listen_port": 8001, **wide},
        {"vllm_project_name": "coder", "gpunode_profile_overrides": {"context": {"maximum": "a lot"}}},
        {"vllm_project_name": "third", "vllm_project_dir": "/opt/vllm-chat", "gpunode_listen_port": 8001, **wide},
    ]
    told, printed = preflight(tmp_path, {"memtotal_mb": 9000}, gpunode_models=models)
    expected = [
        "Model chat: verify_timer is true, but verify_textfile_dir is empty",  # and not third's, which has no timer
        "$.context.maximum: must be integer",
        "Models chat and third: gpunode_listen_address is 10.0.0.5 and gpunode_api_key is not set",
        "The directory /opt/vllm-chat belongs to more than one model of gpunode_models: chat and third",
        "The models chat and third both publish port 8001",
        "8.0 GiB for the server processes (estimate)",
    ]
    assert [reason for reason in expected if reason not in told] == []
    assert "Port 8000 of this node is in use" not in told  # nothing more was looked at for coder
    assert "Model coder: The profile cannot be read" in " ".join(printed.split())


def test_a_list_of_models_that_is_none_is_one_reason_among_the_others(tmp_path: Path) -> None:
    models = [{"vllm_project_name": "chat", "gpunode_profil": "pocket", "vllm_api_key": "canary"}]
    told, printed = preflight(tmp_path, {"distribution": "Fedora"}, gpunode_models=models, gpunode_only="coder")
    assert "Probably meant: gpunode_profile." in told and "Say it as gpunode_api_key instead" in told
    assert "gpunode_only names coder" in told and "This node runs Fedora" in told
    assert "canary" not in printed


def test_what_was_served_once_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    docker = """case "$*" in "ps --all"*) printf 'old-server\\trunning\\told\\t/opt/vllm-old\\n';; *) exit 1;; esac"""
    _told, printed = preflight(tmp_path, commands={"docker": docker}, gpunode_listen_port=8001)
    words = " ".join(printed.split())
    assert "The Compose project old in /opt/vllm-old (container old-server, running)" in words
    assert "toolserve.gpunode.teardown -e" in words
