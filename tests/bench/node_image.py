# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node image: a Debian server in a container."""

from __future__ import annotations

import docker

from . import base_image
from .images import HERE, build, present, tag


def ensure(client: docker.DockerClient, release: str) -> str:
    """The name of the node image of this Debian release, built when its inputs have changed."""
    base = base_image.ensure(client, release)
    name = f"toolserve-bench/node:debian{release}-{tag('node', base, client)}"
    if not present(client, name):
        build(client, name, HERE / "node", base, minutes=1)
    return name
