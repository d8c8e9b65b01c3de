# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.bench import engine
from tests.bench.hetzner import image
from tests.bench.lock import only_one

from .server import Server


@pytest.fixture(scope="session")
def client() -> docker.DockerClient:
    return engine.ensure()


@pytest.fixture(scope="session")
def machine_image(client: docker.DockerClient) -> str:
    with only_one():
        return image.ensure(client)


@pytest.fixture
def server(client: docker.DockerClient, machine_image: str, tmp_path: Path) -> Iterator[Server]:
    """A server that was rented a minute ago: no power, nothing on its disks."""
    rented = Server(client, machine_image, f"gpunode-bootstrap-{os.getpid()}", tmp_path)
    with rented.robot.serving():
        yield rented
    rented.machine.remove()
