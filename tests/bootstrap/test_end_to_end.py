# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a server with bare disks to a verified tool call, by the two commands that a user types."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest
import yaml

from tests.bench import vllm_image
from tests.bench.ansible import REPOSITORY

from .server import CONFIRMED, Played, Server

DEMO = REPOSITORY / "inventory.example/demo/group_vars/bench_nodes.yml"


@pytest.fixture
def demo(client: docker.DockerClient, server: Server, tmp_path: Path) -> Server:
    """A bare server whose owner wants what `make demo` serves."""
    image, archive = vllm_image.ensure(client)
    model = REPOSITORY / "tests/pocket_model"
    server.machine.volumes = {
        str(archive): {"bind": "/srv/bench/vllm-cpu.tar", "mode": "ro"},
        str(model): {"bind": "/srv/bench/pocket_model", "mode": "ro"},
    }
    settings = {name: value for name, value in yaml.safe_load(DEMO.read_text()).items() if "ansible_" not in name}
    bench = {"vllm_image": image, "vllm_archive": str(archive), "pocket_model": str(model)}
    server.settings |= settings | {"bench": bench, "verify_report_dir": str(tmp_path / "report")}
    return server


def test_bare_disks_become_a_node_with_a_verified_tool_call(demo: Server, tmp_path: Path) -> None:
    first = demo.bootstrap(**CONFIRMED)
    assert first.code == 0 and demo.machine.system == "disk"
    assert demo.machine.wiped == ["/dev/nvme0n1", "/dev/nvme1n1"]
    assert f"ansible-playbook -i {demo.folder}/hosts.yml" in first.text and "site.yml" in first.text

    asked = len(demo.robot.changes())
    second = demo.bootstrap(**CONFIRMED)
    assert second.code == 0 and second.changed == {demo.name: 0}
    assert len(demo.robot.changes()) == asked
    assert demo.machine.wiped == ["/dev/nvme0n1", "/dev/nvme1n1"]

    served: Played = demo.play("site.yml")
    assert served.code == 0
    evidence = json.loads((tmp_path / f"report/{demo.name}.json").read_text())
    assert evidence["tool_calls"]["passed"] is True
