# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the scripted servers, and checks them as the module tool_call_check does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_result import results
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, run

from tests.contract import interpreter
from tests.contract.releases import HERE, Release, load

from .setups import Setup

RELEASE = "0.32.0"
_LOG = "start.log"
_PATIENCE_SECONDS = 300
_SEED = 20261121


@dataclass(frozen=True)
class Server:
    setup: Setup
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Of the OpenAI API, with its /v1."""
        return f"http://127.0.0.1:{self.port}/v1"

    def check(self) -> dict[str, Any]:
        """What tool_call_check returns for it."""
        self.wait()
        client = OpenAIClient(self.url, timeout=120)
        found = results(run(client, Options(profile=self.setup.served(), seed=_SEED)))
        print(found["summary"])
        return found

    def wait(self) -> bool:
        """Whether it is healthy.

        :raises EndpointError: its process has ended.
        """
        client = OpenAIClient(f"http://127.0.0.1:{self.port}", timeout=_PATIENCE_SECONDS)
        return client.status("/health", authenticate=False) == 200


class Servers:
    """Starts each when it is first asked for; the next one is quick, since vLLM is imported once for all."""

    def __init__(self, process: subprocess.Popen[str], release: Release, folder: Path) -> None:
        self._process, self._release, self._folder = process, release, folder
        self._started: dict[str, Server] = {}

    def __getitem__(self, setup: Setup) -> Server:
        if setup.name not in self._started:
            job = setup.job(self._release, self._folder)
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            port = self._process.stdout.readline()
            if not port:
                raise RuntimeError(f"it did not start:\n{(self._folder / _LOG).read_text()[-3000:]}")
            self._started[setup.name] = Server(setup, int(port), Path(job["log"]))
        return self._started[setup.name]


@contextmanager
def serving(folder: Path, api_key: str = "") -> Iterator[Servers]:
    """With ``api_key`` all of them want that one."""
    release = load()[RELEASE]
    interpreter.prepare([release])
    environment = {**interpreter.environment(release), "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    if api_key:
        environment["VLLM_API_KEY"] = api_key
    with (
        (folder / _LOG).open("w") as log,
        subprocess.Popen(
            interpreter.command(HERE / "driver" / "scripted_server.py", []),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        yield Servers(process, release, folder)
        assert process.stdin is not None
        process.stdin.close()
