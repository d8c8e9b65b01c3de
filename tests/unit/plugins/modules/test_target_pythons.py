# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that verify, on a target with nothing but Python: each supported release that this machine has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_generator import FakeGenerator
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvidia_smi import H200_BUSY, fake_nvidia_smi

COLLECTIONS = Path(__file__).parents[4] / "collections"
RELEASES = ("3.10", "3.11", "3.12", "3.13")
OPTIONS: dict[str, dict[str, Any]] = {
    "wait_for_endpoint": {"timeout": 10},
    "endpoint_info": {"require_reachable": True},
    "tool_call_check": {"seed": 11},
    "throughput_check": {
        "output_tokens": 16,
        "concurrency": [2],
        "minimum_tokens_per_second": 0.001,
        "sample_gpus": True,
    },
}
TASKS: list[dict[str, Any]] = [
    *(
        {f"toolserve.gpunode.{name}": {"base_url": "{{ urls[inventory_hostname] }}", **options}}
        for name, options in OPTIONS.items()
    ),
    {"toolserve.gpunode.gpu_info": {}},
    # That there is nothing else is true, too.
    {
        "ansible.builtin.command": {"argv": ["{{ ansible_python_interpreter }}", "-c", "import yaml, requests"]},
        "register": "imported",
        "failed_when": "'ModuleNotFoundError' not in imported.stderr",
    },
]


def found(release: str) -> str | None:
    """An interpreter of that release, installed by the system or by pyenv."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{release}.*/bin/python3"))
    for path in (*map(str, installed), shutil.which(f"python{release}")):
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """One for each release, whose Python neither sees an installed package nor the environment."""
    folder = tmp_path_factory.mktemp("pythons")
    known = {}
    for release in RELEASES:
        if path := found(release):
            bare = folder / f"python{release}"
            bare.write_text(f'#!/bin/sh\nexec {path} -I -S "$@"\n')
            bare.chmod(0o755)
            known[release] = {"ansible_connection": "local", "ansible_python_interpreter": str(bare)}
    return known


def test_every_module_runs_on_nothing_but_python(tmp_path: Path, hosts: dict[str, dict[str, str]]) -> None:
    fake_nvidia_smi(tmp_path, H200_BUSY)
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    with ExitStack() as stack:
        # Each host has a server of its own: others at work would make a measurement worthless.
        urls = {release: stack.enter_context(FakeGenerator(shows_metrics=True).serving()).url for release in hosts}
        play = {"hosts": "all", "gather_facts": False, "vars": {"urls": urls}, "tasks": TASKS}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "play.yml"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(hosts) >= 1 and done.stdout.count(f"ok={len(TASKS)} ") == len(hosts)
