# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of all clients, written once by the play for a scripted endpoint that stays up."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_settings import CLIENTS
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint, Request

from tests.unit.collection.clients_play import KEY, played

SERVER, CONTEXT, OUTPUT = 32768, 30720, 4096  # what the server holds, and what clients have to be told


@dataclass
class Written:
    """A home with the files, of which each test has a copy, and what has arrived at the endpoint."""

    home: Path
    url: str
    requests: list[Request] = field(default_factory=list)

    def asked(self) -> Request:
        """The last request of a chat."""
        assert self.requests, "nothing has arrived"
        return self.requests[-1]

    def says_the_key(self) -> list[Path]:
        return [file for file in self.home.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[FakeEndpoint]:
    models = [{"id": "pocket", "object": "model", "max_model_len": SERVER}]
    with FakeEndpoint(api_key=KEY, models=models).serving() as serving:
        yield serving


@pytest.fixture(scope="session")
def home_of_all(endpoint: FakeEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clients")
    settings: dict[str, Any] = {"clients_write": list(CLIENTS), "clients_agent_prompt": 8000}
    done = played(folder, endpoint, **settings, clients_opencode_path="~/.config/opencode/opencode.json")
    assert done.returncode == 0
    return folder / "home"


@pytest.fixture
def written(endpoint: FakeEndpoint, home_of_all: Path, tmp_path: Path) -> Written:
    home = tmp_path / "home"
    shutil.copytree(home_of_all, home, ignore=shutil.ignore_patterns(".ansible"))
    for file in home.glob(".aider*"):  # it names its others by their absolute paths
        file.write_text(file.read_text().replace(json.dumps(str(home_of_all))[1:-1], str(home)))
    endpoint.requests.clear()
    return Written(home, endpoint.url, endpoint.requests)
