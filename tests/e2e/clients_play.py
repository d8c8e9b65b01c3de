# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-playbook playbooks/clients.yml -e clients_url=…`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.loader import lookup_loader

from tests.bench.ansible import adhoc, captured_playbook
from tests.bench.server import Server


def pocket_profile() -> dict[str, Any]:
    profile: dict[str, Any] = lookup_loader.get("toolserve.gpunode.profile").run(["pocket"], {})[0]
    return profile


def write(server: Server, path: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """The play, with its output shown where a test fails; the key is in nothing that it says or writes."""
    given: dict[str, Any] = {
        "clients_url": server.url,
        "clients_api_key": server.api_key,
        "clients_profile": pocket_profile(),
        # The pocket model's chat template leaves the agent's own prompt out.
        "clients_agent_prompt": 300,
        "clients_write": ["opencode"],
        "clients_opencode_path": str(path),
        **settings,
    }
    done = captured_playbook("playbooks/clients.yml", None, "--diff", "-e", json.dumps(given))
    print(done.stdout)
    written = [file.read_text(encoding="utf-8") for file in path.parent.glob("*") if file.is_file()]
    assert server.api_key not in done.stdout + "".join(written)
    return done


def checked(path: Path, api_key: str, **options: Any) -> list[dict[str, str]]:
    """The causes that our checker names for this file, with the endpoint that the file leads to."""
    given = {"path": str(path), "api_key": api_key, "profile": pocket_profile(), "agent_prompt": 300, **options}
    done = adhoc("toolserve.gpunode.client_config_check", given)
    print(done.stdout)
    assert api_key not in done.stdout
    result: dict[str, Any] = yaml.safe_load(done.stdout.partition("=> ")[2])
    return list(result["causes"])
