# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small image whose container can be asked for the GPU, and the archive of it that nodes without a registry load."""

from __future__ import annotations

from pathlib import Path

import docker

from . import base_image
from .images import HERE, archive, build, present, tag


def ensure(client: docker.DockerClient) -> tuple[str, Path]:
    """The name of the image and the path of its archive, both made when their inputs have changed."""
    base = base_image.ensure(client, "12")
    digest = tag("gpu_proof", base, client)
    name = f"toolserve-bench/gpu-proof:{digest}"
    if not present(client, name):
        build(client, name, HERE / "gpu_proof", base, minutes=1)
    return name, archive(client, name, f"gpu-proof-{digest}")
