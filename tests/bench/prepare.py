# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build what the nodes of the bench are made from, and tell the playbooks where it is."""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path

import docker

from . import engine, gpu_proof_image, node_image, vllm_image
from .ansible import REPOSITORY, galaxy
from .console import step
from .lock import only_one
from .nvidia import tree

STATE = REPOSITORY / ".bench"


def prepare(*node_releases: str, stand_ins: bool = False) -> docker.DockerClient:
    """Make the images where needed and write .bench/bench.json, which inventories read.

    :param node_releases: the Debian releases of which node images are wanted, such as "13".
    :param stand_ins: build NVIDIA's stand-in repositories too, and the image of a container that sees the GPU.
    """
    client = engine.ensure()
    with only_one(), step("Images of the bench (first time: about 6 minutes, later: seconds)"):
        image, archive = vllm_image.ensure(client)
        facts: dict[str, object] = {
            "node_images": {release: node_image.ensure(client, release) for release in node_releases},
            "vllm_image": image,
            "vllm_archive": str(archive),
            "pocket_model": str(REPOSITORY / "tests/pocket_model"),
        }
        if stand_ins:
            path, fingerprints = tree.ensure()
            proof_image, proof_archive = gpu_proof_image.ensure(client)
            facts |= {
                "nvidia": str(path),
                "nvidia_fingerprints": fingerprints,
                "gpu_proof_image": proof_image,
                "gpu_proof_archive": str(proof_archive),
            }
    STATE.mkdir(exist_ok=True)
    (STATE / "bench.json").write_text(json.dumps(facts, indent=2) + "\n")
    return client


def install_collection() -> None:
    """Build the collection and install the artifact into .bench/collections, as a user gets it.

    An artifact that is installed already stays untouched: plays of another scenario may be running from it.
    """
    title = "Building the collection and installing the artifact"
    with only_one(), step(title), tempfile.TemporaryDirectory(prefix="toolserve-bench-") as folder:
        galaxy("collection", "build", "--output-path", folder)
        (artifact,) = Path(folder).glob("*.tar.gz")
        if _files_of(artifact) != _installed_files():
            galaxy("collection", "install", str(artifact), "--force", "--no-deps", "-p", str(STATE / "collections"))


def _files_of(artifact: Path) -> bytes:
    """The list of all files with their checksums, as Galaxy writes it into every artifact."""
    with tarfile.open(artifact) as archive:
        member = archive.extractfile("FILES.json")
        return member.read() if member else b""


def _installed_files() -> bytes | None:
    path = STATE / "collections/ansible_collections/toolserve/gpunode/FILES.json"
    return path.read_bytes() if path.exists() else None
