# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks with some of their tags, in dry runs on a node made up of commands with known answers."""

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
NOWHERE = "http://127.0.0.1:9"
COMMANDS = {name: "exit 2" for name in ("ss", "docker", "systemctl", "dpkg", "dpkg-query", "apt-cache")}
UNFINISHED = "echo 'The following packages are only half configured:'; echo ' {} a package'"


def run(folder: Path, playbook: str, *arguments: str, commands: dict[str, str] | None = None, **settings: Any) -> Any:
    programs = folder / "bin"
    programs.mkdir()
    for name, script in {**COMMANDS, **(commands or {})}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    node = {
        "ansible_connection": "local",
        "model_weights_hub_url": NOWHERE,
        "model_weights_dir": str(folder / "weights"),
        "gpunode_listen_port": 8911,
        **settings,
    }
    (folder / "hosts.yml").write_text(json.dumps({"gpunodes": {"hosts": {"node": node}}}))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", playbook, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)  # shown where a test fails
    assert "is undefined" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    ("tag", "end"),
    [
        ("docker", "Preflight packages | Read the installed ones] "),
        ("model_weights", "Stop | Nothing stands in the way] "),
        ("nvidia_container_toolkit", "Preflight | Read the installed packages] "),
        ("vllm", "Preflight port | See who listens] "),
        ("verify", ""),
    ],
)
def test_one_tag_needs_nothing_that_another_one_finds_out(tmp_path: Path, tag: str, end: str) -> None:
    done = run(tmp_path, "toolserve.gpunode.site", "--check", "--tags", tag)
    if end:
        assert done.returncode == 2 and end in done.stdout[done.stdout.rindex("TASK [") :]
    else:
        assert done.returncode == 0 and "The tool calls have been proven" in done.stdout
    # Whatever follows has to know it, and a run that has ended has not come that far.
    assert ("Remember how containers get the GPU" in done.stdout) == (tag in ("vllm", "verify"))


@pytest.mark.parametrize("clients", [[], ["zed", "continue"]])
def test_the_files_of_clients_come_last_where_they_are_asked_for(tmp_path: Path, clients: list[str]) -> None:
    done = run(tmp_path, "toolserve.gpunode.site", "--check", "--tags", "clients", clients_write=clients)
    assert done.returncode == 0
    assert ("clients : Endpoint | Look at it" in done.stdout) == bool(clients)


def test_what_a_skipped_role_would_have_said_is_looked_at(tmp_path: Path) -> None:
    skipped = "preflight,docker,nvidia_driver,nvidia_container_toolkit,model_weights,vllm"
    done = run(tmp_path, "toolserve.gpunode.site", "--check", "--skip-tags", skipped)
    assert done.returncode == 0
    assert "Locate | Look at the folder" in done.stdout and "Preflight sizing | Tell" in done.stdout


def test_models_that_are_skipped_are_not_printed(tmp_path: Path) -> None:
    models = [{"vllm_project_name": "chat", "gpunode_api_key": "canary", "vllm_hf_token": "canary"}]
    driver = {"dpkg": UNFINISHED.format("nvidia-dkms-550")}
    arguments = ["--check", "-v", "--tags", "model_weights"]
    done = run(tmp_path, "toolserve.gpunode.site", *arguments, commands=driver, gpunode_models=models)
    assert '"gpunode_driver_first": true' in done.stdout and "Begin the download" not in done.stdout
    assert "canary" not in done.stdout


@pytest.mark.parametrize(
    ("audit", "removed", "accelerator", "first"),
    [
        ("exit 0", [{"path": "/etc/apt/sources.list.d/nvidia-docker.list"}], "cuda", True),
        (UNFINISHED.format("linux-headers-6.8.0-31-generic"), [], "cuda", True),
        (UNFINISHED.format("docker-ce"), [], "cuda", False),
        (UNFINISHED.format("nvidia-dkms-550"), [], "cpu", False),
    ],
)
def test_the_driver_comes_first_where_apt_would_fail_without_it(
    tmp_path: Path, audit: str, removed: list[dict[str, str]], accelerator: str, first: bool
) -> None:
    tasks = [
        {"ansible.builtin.set_fact": {"__nvidia_driver_plan": {"remove_files": removed}}},
        {"ansible.builtin.import_tasks": str(REPOSITORY / "playbooks/tasks/order.yml")},
    ]
    play = {"hosts": "gpunodes", "gather_facts": False, "vars": {"vllm_accelerator": accelerator}, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = run(tmp_path, "play.yml", "-v", commands={"dpkg": audit})
    assert done.returncode == 0 and f'"gpunode_driver_first": {str(first).lower()}' in done.stdout


def test_a_proof_knows_the_commit_that_the_node_keeps_to(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "weights/toolserve--open"
    folder.mkdir(parents=True)
    (folder / "main.commit").write_text(commit)
    model = {"model": {"id": "toolserve/open", "local": False, "revision": ""}}
    settings = {"gpunode_profile": "pocket", "gpunode_profile_overrides": model, "gpunode_accelerator": "cpu"}
    done = run(tmp_path, "toolserve.gpunode.verify", "--check", "-v", **settings)
    assert done.returncode == 0 and f'"gpunode_weights_revision": "{commit}"' in done.stdout


@pytest.mark.parametrize(("nodes", "refused"), [(["node", "other"], True), (["node"], False)])
def test_an_upgrade_of_a_cluster_is_refused_before_anything_is_brought(
    tmp_path: Path, nodes: list[str], refused: bool
) -> None:
    play = {
        "hosts": "gpunodes",
        "gather_facts": False,
        "vars_files": [str(REPOSITORY / "playbooks/vars/gpunode.yml")],
        "vars": {"gpunode_model": {"name": ""}},
        "tasks": [{"ansible.builtin.include_tasks": str(REPOSITORY / "playbooks/tasks/upgrade.yml")}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = run(tmp_path, "play.yml", "--check", vllm_cluster_nodes=nodes)
    assert done.returncode == 2
    assert ("serves its model together with other" in done.stdout) == refused
    assert ("model_weights" in done.stdout) != refused
