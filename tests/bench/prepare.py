# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build what the nodes of the bench are made from, and tell the playbooks where it is."""

from __future__ import annotations

import json
from pathlib import Path

import docker

from . import engine, node_image, vllm_image
from .console import step

REPOSITORY = Path(__file__).parents[2]
STATE = REPOSITORY / ".bench"


def prepare() -> docker.DockerClient:
    """Make the images where needed and write .bench/bench.json, which inventories read."""
    client = engine.ensure()
    with step("Images of the bench (first time: about 6 minutes, later: seconds)"):
        image, archive = vllm_image.ensure(client)
        facts = {
            "node_image": node_image.ensure(client),
            "vllm_image": image,
            "vllm_archive": str(archive),
            "pocket_model": str(REPOSITORY / "tests/pocket_model/model"),
        }
    STATE.mkdir(exist_ok=True)
    (STATE / "bench.json").write_text(json.dumps(facts, indent=2) + "\n")
    return client
