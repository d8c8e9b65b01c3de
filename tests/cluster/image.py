# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the nodes of a cluster, and the archive of it that they load."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
from pathlib import Path

import docker

from tests.bench import CACHE, vllm_image
from tests.bench.images import archive, build, present
from tests.bench.pip_index import run_pip

FOLDER = Path(__file__).parent / "image"


def ensure(client: docker.DockerClient) -> tuple[str, Path]:
    """The name of the image and the path of its archive, both made when their inputs have changed."""
    base, _archive = vllm_image.ensure(client)
    digest = hashlib.sha256(base.encode())
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    short = digest.hexdigest()[:12]
    name = f"toolserve-bench/cluster:{vllm_image.RELEASE}-{short}"
    if not present(client, name):
        with tempfile.TemporaryDirectory(prefix="toolserve-bench-", dir=CACHE) as folder:
            context = Path(folder) / "image"
            shutil.copytree(FOLDER, context)
            _download(context / "wheels")
            build(client, name, context, base, minutes=1)
    return name, archive(client, name, f"cluster-{short}")


def _download(wheels: Path) -> None:
    machine = platform.machine()
    arguments = [
        *("download", "--no-deps", "--only-binary=:all:", "--progress-bar=off"),
        *("--python-version=3.11", "--implementation=cp"),
        *(f"--platform=manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_28")),
        *("--dest", str(wheels), "--requirement", str(FOLDER / "requirements.lock")),
    ]
    run_pip(arguments, "Check the network and pip's index.")
