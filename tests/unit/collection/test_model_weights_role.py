# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role model_weights on this machine, against the stand-in hub: what it asks, counts and removes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench.model_hub import COMMIT, GRANTED, Hub

pytestmark = pytest.mark.plays
REPOSITORY = Path(__file__).parents[3]
OPEN = "toolserve--open"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    model(tmp_path / "on_hub")
    server = Hub(tmp_path / "on_hub", 0, tmp_path / "asked")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def model(folder: Path) -> int:
    """A whole model, as small as one can be; its size in bytes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [100], "data_offsets": [0, 100]}}).encode()
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(100))
    return sum(file.stat().st_size for file in folder.iterdir())


def entry_point(name: str, repository: str, **settings: Any) -> dict[str, Any]:
    settings = {"model_weights_profile": {"model": {"id": f"toolserve/{repository}"}}, **settings}
    role = {"name": "toolserve.gpunode.model_weights", "tasks_from": name}
    return {"ansible.builtin.include_role": role, "vars": settings}


def run(folder: Path, tasks: list[dict[str, Any]], *arguments: str, **programs: str) -> tuple[list[Any], str]:
    """What the disks are to take after these tasks, and the output; programs are shell scripts in place of others."""
    kept = {"ansible.builtin.copy": {"content": "{{ gpunode_disk_needs | default([]) | to_json }}"}}
    kept["ansible.builtin.copy"]["dest"] = str(folder / "needs.json")
    play = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [*tasks, kept | {"check_mode": False}],
    }
    places = {"model_weights_dir": str(folder / "models"), "__model_weights_run_dir": str(folder / "run")}
    (folder / "play.yml").write_text(json.dumps([play]))
    (folder / "bin").mkdir(exist_ok=True)
    for name, script in programs.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-i",
            "node,",
            "-c",
            "local",
            "play.yml",
            "-e",
            json.dumps(places),
            *arguments,
        ],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "needs.json").read_text()), " ".join(done.stdout.split())


def test_each_model_is_asked_for_at_its_own_revision(tmp_path: Path, hub: str) -> None:
    of_hub = {"model_weights_hub_url": hub, "model_weights_hf_token": GRANTED}
    run(tmp_path, [entry_point("preflight", "open", **of_hub), entry_point("preflight", "gated", **of_hub)])
    asked = [json.loads(line)["path"] for line in (tmp_path / "asked").read_text().splitlines()]
    assert [path for path in asked if "/revision/" in path] == [
        "/api/models/toolserve/open/revision/main",
        "/api/models/toolserve/gated/revision/main",
    ]


def test_what_has_arrived_is_not_counted_once_more(tmp_path: Path, hub: str) -> None:
    asking = entry_point("preflight", "open", model_weights_hub_url=hub)
    other = {"path": "/elsewhere", "bytes": 1, "what": "another", "shared": False}
    first = {"ansible.builtin.set_fact": {"gpunode_disk_needs": [other]}}
    needs, _told = run(tmp_path, [first, asking])
    folder = tmp_path / "models" / OPEN / COMMIT
    assert [need["path"] for need in needs] == ["/elsewhere", str(folder)] and needs[1]["bytes"] > 100
    # The download ends between the two.
    arrive = {"ansible.builtin.shell": f"mkdir -p {folder} && echo '{{}}' > {folder}/.gpunode-complete.json"}
    record = {"ansible.builtin.copy": {"content": COMMIT, "dest": f"{folder.parent}/main.commit"}}
    needs, _told = run(tmp_path, [first, asking, arrive, record, entry_point("locate", "open")])
    assert needs == [other]


@pytest.mark.parametrize("source", ["archive", "directory"])
def test_what_comes_from_this_machine_needs_room_on_the_node(tmp_path: Path, source: str) -> None:
    size = model(tmp_path / "model")
    path = tmp_path / "model"
    if source == "archive":
        path = tmp_path / "model.tar"
        subprocess.run(["tar", "-cf", str(path), "-C", str(tmp_path), "model"], check=True)
        size = path.stat().st_size
    brought = {
        "model_weights_source": source,
        "model_weights_path": str(path),
        "model_weights_archive_sha256": "0" * 64,
    }
    from_here, from_node = (
        run(tmp_path, [entry_point("preflight", "open", **brought, model_weights_path_is_on_node=there)])[0]
        for there in (False, True)
    )
    assert [need["bytes"] for need in from_here] == [2 * size if source == "archive" else size]
    assert [need["bytes"] for need in from_node] == ([size] if source == "archive" else [])


DOWNLOAD = f'[ "$1" = stop ] && echo "$@" >> stopped || echo gpunode-weights-{OPEN}-12345678.service loaded active'


def removal(folder: Path, *arguments: str, docker: str, **settings: Any) -> tuple[bool, str]:
    """Whether the model is there afterwards, and the output."""
    (folder / "models" / OPEN / COMMIT).mkdir(parents=True, exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / f"{OPEN}-12345678.json").write_text("a token")
    settings = {"model_weights_remove": True, **settings}
    _needs, told = run(
        folder, [entry_point("remove", "open", **settings)], *arguments, docker=docker, systemctl=DOWNLOAD
    )
    return (folder / "models" / OPEN).is_dir(), told


def test_a_model_that_nobody_has_is_removed_with_its_download(tmp_path: Path) -> None:
    docker = f"echo coder-server vllm_compiled,{tmp_path}/models/{OPEN}-other/x,/x/models/{OPEN}"
    stays, told = removal(tmp_path, "--check", docker=docker)
    assert stays and "would be removed" in told and not (tmp_path / "stopped").exists()
    stays, told = removal(tmp_path, docker=docker, model_weights_path=f"{tmp_path}/models/{OPEN}-mine")
    assert not stays and f"{OPEN} is removed" in told
    assert (tmp_path / "stopped").read_text() == f"stop gpunode-weights-{OPEN}-12345678.service\n"
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("docker", ["exit 127", "exit 2"])
def test_without_docker_nobody_has_it(tmp_path: Path, docker: str) -> None:
    stays, told = removal(tmp_path, docker=docker)
    assert stays == (docker == "exit 127") == ("Docker does not say" in told)


def test_a_model_that_another_server_has_stays(tmp_path: Path) -> None:
    docker = f"echo coder-server vllm_compiled,{tmp_path}/models/{OPEN}/{COMMIT}"
    stays, told = removal(tmp_path, docker=docker)
    assert stays and "stays, because it is mounted in coder-server" in told
    assert not (tmp_path / "stopped").exists()
    # In a dry run the server that goes is there still.
    _stays, told = removal(tmp_path, "--check", docker=docker, model_weights_remove_container="coder-server")
    assert "would be removed" in told


@pytest.mark.parametrize("setting", ["model_weights_given_path", "model_weights_path"])
def test_what_its_owner_has_put_there_stays(tmp_path: Path, setting: str) -> None:
    own = f"{tmp_path}/models//{OPEN}/own/"
    stays, told = removal(tmp_path, docker=":", **{setting: own})
    assert stays and "because the inventory names" in told


def test_it_stays_unless_that_is_asked_for_and_where_the_name_is_none(tmp_path: Path) -> None:
    stays, told = removal(tmp_path, docker=":", model_weights_remove=False)
    assert stays and f"{OPEN} stays." in told
    profile = {"model": {"id": ".."}}
    stays, told = removal(tmp_path, docker=":", model_weights_profile=profile)
    assert stays and "stays, because" in told


@pytest.mark.parametrize("profile", ["pocket", "no-such-profile"])
def test_a_teardown_goes_to_its_end_without_a_profile(tmp_path: Path, profile: str) -> None:
    settings = {
        "gpunode_profile": profile,
        "gpunode_model": {"name": ""},
        "vllm_project_dir": str(tmp_path / "vllm"),
        "vllm_project_name": "test-without-a-profile",
        "vllm_remove_weights": True,
    }
    tasks = [
        {"ansible.builtin.include_vars": str(REPOSITORY / "playbooks/vars/gpunode.yml")},
        {"ansible.builtin.include_tasks": str(REPOSITORY / "playbooks/tasks/remove.yml")},
    ]
    _needs, told = run(tmp_path, tasks, "--check", "-e", json.dumps(settings), docker="exit 1", systemctl="exit 1")
    assert ("the profile that names the model cannot be read" in told) == (profile == "no-such-profile")
    assert ("See which containers have which folders" in told) == (profile == "pocket")
