# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers on every node: they see the GPU, and still do after what takes it from others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from node import TOOLKIT, packages, past, proof_image

GPU = "GPU 0: NVIDIA RTX 4000 SFF Ada Generation"


@pytest.fixture
def container(host):
    """A container of the node that has the GPU by the runtime, which every engine has."""
    options = "--runtime nvidia --env NVIDIA_VISIBLE_DEVICES=all --env NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    name = host.check_output(f"docker run --detach {options} {proof_image(host)}")
    yield name
    host.check_output(f"docker rm --force {name}")


def test_toolkit_packages_are_of_one_version(host):
    # nvidia-docker2 is not purged: the user's daemon.json would go with it.
    found = {name: entry for name, entry in packages(host).items() if TOOLKIT.match(name) and entry[0] != "rc"}
    assert set(found) == {
        "libnvidia-container1",
        "libnvidia-container-tools",
        "nvidia-container-toolkit",
        "nvidia-container-toolkit-base",
    }
    assert {entry for entry in found.values()} == {("ii", "1.20.0-1")}


def test_docker_knows_the_runtime(host):
    runtimes = json.loads(host.check_output("docker info --format '{{json .Runtimes}}'"))
    assert "nvidia" in runtimes


def test_a_container_sees_the_gpu(host, container):
    assert host.check_output(f"docker exec {container} nvidia-smi -L").startswith(GPU)
    probe = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"
    assert host.check_output(f'docker exec {container} python3 -c "{probe}"') == "0"


def test_it_still_does_after_a_daemon_reload(host, container):
    host.check_output("systemctl daemon-reload")
    assert host.check_output(f"docker exec {container} nvidia-smi -L").startswith(GPU)


def test_a_container_without_the_runtime_sees_none(host):
    assert host.run(f"docker run --rm {proof_image(host)} nvidia-smi -L").rc != 0


def test_the_user_s_daemon_json_survives(host):
    if past(host) != "healthy":
        pytest.skip("another past")
    theirs = json.loads((Path(__file__).parents[1] / "prepare/files/daemon.json").read_text())
    merged = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert len(theirs) >= 20
    assert {key: value for key, value in merged.items() if key in theirs} == {
        **theirs,
        "features": {**theirs["features"], **merged["features"]},
        "runtimes": {**theirs["runtimes"], "nvidia": merged["runtimes"]["nvidia"]},
    }
    assert merged["features"].items() >= theirs["features"].items()


def test_nothing_of_nvidia_docker2_is_left(host):
    if past(host) != "nvidia_docker2":
        pytest.skip("another past")
    assert not host.file("/etc/apt/sources.list.d/nvidia-docker.list").exists
    assert host.file("/etc/apt/sources.list.d/nvidia-docker.list.disabled").exists
    assert not host.file("/usr/bin/nvidia-docker").exists
