# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the role model_weights of the installed collection on the node, with the stand-in hub on its loopback."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
MODELS = "/var/lib/gpunode/models"
COMMIT = "5d7c1b0f0e3a49d6a2b8c4f6e1d3a5b7c9e0f2a4"
_HUB = {
    "model_weights_source": "hub",
    "model_weights_hub_url": "http://127.0.0.1:8766",
    "model_weights_environment": {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/hub_packages"},
}


def play(**settings: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["ansible-playbook", "-i", "inventory/hosts.yml", "weights.yml", "--extra-vars", json.dumps(settings)],
        cwd=REPOSITORY / "molecule/airgapped",
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".bench/collections"),
            "MOLECULE_PROJECT_DIRECTORY": str(REPOSITORY),
            # Molecule forces colours, whose codes would stand between the words that are looked for.
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout, done.stderr)  # shown where a test fails
    return done


def from_hub(repository: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """With the pocket model as if the hub had it under this name."""
    overrides = {"model": {"local": False, "id": f"toolserve/{repository}"}}
    return play(**_HUB, gpunode_profile_overrides=overrides, **settings)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    return " ".join((done.stdout + done.stderr).split())


def requests(host: Any, part: str) -> list[dict[str, Any]]:
    """What the hub was asked with this in its path."""
    lines = host.check_output("cat /srv/hub.log").splitlines()
    return [asked for asked in map(json.loads, lines) if part in asked["path"]]
