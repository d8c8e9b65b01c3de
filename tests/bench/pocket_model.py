# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a script of tests/pocket_model inside the vLLM image: it has the very libraries that will serve the model."""

from __future__ import annotations

import docker

from . import vllm_image
from .ansible import REPOSITORY


def run(client: docker.DockerClient, script: str, arguments: list[str]) -> int:
    """Run the script, show its output as it comes, and return its exit code."""
    image, _ = vllm_image.ensure(client)
    container = client.containers.create(
        image,
        entrypoint=["python3", "-B", script],
        command=arguments,
        working_dir="/pocket_model",
        volumes={str(REPOSITORY / "tests/pocket_model"): {"bind": "/pocket_model", "mode": "rw"}},
        environment={"PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"},
        network_mode="none",
        labels={"toolserve-bench": "1"},
    )
    try:
        container.start()
        for chunk in container.logs(stream=True, follow=True):
            print(chunk.decode(errors="replace"), end="", flush=True)
        return int(container.wait()["StatusCode"])
    finally:
        container.remove(force=True)
