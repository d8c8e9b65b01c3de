# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Docker says about the container in which a server runs."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import seconds_since_epoch

# Not the whole inspection: it holds the container's environment, and with it secrets.
INSPECT_FORMAT = '{"state": {{json .State}}, "restarts": {{json .RestartCount}}}'
MISSING = "missing"
_ENDED = frozenset({MISSING, "exited", "dead", "restarting", "removing"})


@dataclass(frozen=True)
class Container:
    """``started``: seconds since the epoch; ``exit_code``: None while it runs; ``error``: why it could not start."""

    name: str
    state: str
    health: str = ""
    exit_code: int | None = None
    restarts: int = 0
    out_of_memory: bool = False
    started: float | None = None
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether a server can be at work in it."""
        return self.state == "running"

    def describe(self) -> str:
        """Its state, and what its health check says."""
        return f"{self.state}{f' ({self.health})' if self.health else ''}"

    def reason_to_stop(self, restarts_before: int) -> str | None:
        """Why waiting for this container is pointless."""
        if self.state == MISSING:
            return f"The container {self.name} does not exist"
        if self.state in _ENDED:
            ending = f"exit code {self.exit_code}{', out of memory' if self.out_of_memory else ''}"
            return f"The container {self.name} is {self.state} ({ending})"
        if self.restarts > restarts_before:
            times = self.restarts - restarts_before
            return f"The container {self.name} ended and was restarted {times} time(s) while waiting"
        return None


def from_inspection(name: str, text: str) -> Container:
    """Read what ``docker container inspect --format INSPECT_FORMAT`` writes."""
    document = json.loads(text)
    state = document["state"]
    return Container(
        name,
        state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=None if state["Status"] == "running" else state["ExitCode"],  # a restart makes it 0
        restarts=document["restarts"],
        out_of_memory=state["OOMKilled"],
        started=seconds_since_epoch(state.get("StartedAt", "")),
        error=state.get("Error", ""),
    )
