# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes of the bench that serve one model together, set up by the playbook."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench import engine, node_image
from tests.bench.ansible import REPOSITORY, captured_playbook
from tests.cluster import image

INVENTORY = "tests/cluster/inventory/hosts.yml"
Played = subprocess.CompletedProcess[str]
Play = Callable[..., Played]


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bench keeps things, with the image of the cluster."""
    client = engine.ensure()
    name, archive = image.ensure(client)
    bench = {
        "vllm_image": name,
        "vllm_archive": str(archive),
        "pocket_model": str(REPOSITORY / "tests/pocket_model"),
        "node_images": {"13": node_image.ensure(client, "13")},
    }
    path = tmp_path_factory.mktemp("cluster") / "settings.json"
    path.write_text(json.dumps({"bench": bench}))
    return path


@pytest.fixture(scope="session")
def play(settings: Path) -> Iterator[Play]:
    """A playbook on both nodes, which are new and go afterwards (KEEP_NODES=1 leaves them)."""

    def run(name: str, *arguments: str) -> Played:
        return captured_playbook(name, INVENTORY, "--extra-vars", f"@{settings}", *arguments)

    for name in ("destroy_nodes", "create_nodes"):
        made = run(f"tests/bench/{name}.yml")
        assert made.returncode == 0, made.stdout
    yield run
    if not os.environ.get("KEEP_NODES"):
        run("tests/bench/destroy_nodes.yml")


@pytest.fixture(scope="session")
def served(play: Play) -> Played:
    """What the playbook said that set both nodes up."""
    done = play("site.yml")
    assert done.returncode == 0, done.stdout
    return done
