# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of both systems of a machine: the bench's node with an SSH server."""

from __future__ import annotations

import docker

from tests.bench import node_image
from tests.bench.images import HERE, build, present, tag


def ensure(client: docker.DockerClient) -> str:
    """The name of the image, built when its inputs have changed."""
    base = node_image.ensure(client, "13")
    name = f"toolserve-bench/hetzner:{tag('hetzner/image', base, client)}"
    if not present(client, name):
        build(client, name, HERE / "hetzner/image", base, minutes=1)
    return name
