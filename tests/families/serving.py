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
from tests.contract.releases import HERE, load

from .setups import Setup

RELEASE = "0.32.0"
_SEED = 20261121


@dataclass(frozen=True)
class Server:
    setup: Setup
    port: int
    log: Path

    def check(self) -> dict[str, Any]:
        """What tool_call_check returns for it."""
        client = OpenAIClient(f"http://127.0.0.1:{self.port}/v1", timeout=120)
        found = results(run(client, Options(profile=self.setup.served(), seed=_SEED)))
        print(found["summary"])
        return found

    def wait(self) -> bool:
        """Whether it answers in the end; False when its process has ended instead."""
        client = OpenAIClient(f"http://127.0.0.1:{self.port}", timeout=120)
        return client.status("/health", authenticate=False) == 200


@contextmanager
def serving(setups: list[Setup], folder: Path) -> Iterator[dict[str, Server]]:
    """All of them, each a process; they end with their input."""
    release = load()[RELEASE]
    interpreter.prepare([release])
    jobs = {setup.name: setup.job(release, folder) for setup in setups}
    environment = {**interpreter.environment(release), "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    with (
        (folder / "start.log").open("w") as log,
        subprocess.Popen(
            interpreter.command(HERE / "driver" / "scripted_server.py", []),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(jobs) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the servers did not start:\n{Path(log.name).read_text()[-3000:]}")
        ports = json.loads(answer)
        yield {setup.name: Server(setup, ports[setup.name], Path(jobs[setup.name]["log"])) for setup in setups}
        process.stdin.close()
