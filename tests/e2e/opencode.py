# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real OpenCode in a home and a project of its own, and what it records of a session."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SECONDS = 300
# Its tools in their order: with them the model's prompt is the same in a plain request as from OpenCode.
TOOLS = ("bash", "edit", "glob", "grep", "read", "skill", "task", "todowrite", "webfetch", "write")


@dataclass(frozen=True)
class ToolUse:
    """One call, as OpenCode has recorded it."""

    tool: str
    status: str
    input: dict[str, Any]
    output: str


@dataclass(frozen=True)
class Session:
    """``error``: what the server or OpenCode said, empty where nothing went wrong; ``record``: its own export."""

    uses: tuple[ToolUse, ...]
    texts: tuple[str, ...]
    error: str
    record: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class OpenCode:
    """``home`` holds its global file and its records, ``project`` is where it works."""

    program: Path
    home: Path
    project: Path
    api_key: str

    @property
    def global_file(self) -> Path:
        return self.home / ".config/opencode/opencode.json"

    def ask(self, text: str, *options: str) -> Session:
        """One message, until the agent has ended its turn."""
        done = self._run("run", "--format", "json", *options, "--", text)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        errors = [event["error"] for event in events if event["type"] == "error"]
        error = errors[0].get("data", {}).get("message", "") or str(errors[0]) if errors else ""
        sessions = [event["sessionID"] for event in events if "sessionID" in event]
        if not sessions or not any(event["type"] == "step_start" for event in events):
            return Session((), (), error or done.stdout + done.stderr)
        record = json.loads(self._run("export", sessions[0]).stdout)
        parts = [part for message in record["messages"] for part in message["parts"]]
        return Session(
            tuple(_use(part) for part in parts if part["type"] == "tool"),
            tuple(
                part["text"]
                for message in record["messages"]
                if message["info"]["role"] == "assistant"
                for part in message["parts"]
                if part["type"] == "text"
            ),
            error,
            record,
        )

    def resolved(self) -> dict[str, Any]:
        """The settings as OpenCode has understood them, all files together."""
        done = self._run("debug", "config")
        if done.returncode != 0:
            raise ValueError(done.stdout + done.stderr)
        settings: dict[str, Any] = json.loads(done.stdout)
        return settings

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("OPENCODE", "XDG_"))}
        own |= {
            "HOME": str(self.home),
            "PWD": str(self.project),  # more than the folder that it is started in, it believes this
            "VLLM_API_KEY": self.api_key,
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "NO_COLOR": "1",
        }
        return subprocess.run(
            [str(self.program), *arguments],
            cwd=self.project,
            env=own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


def _use(part: dict[str, Any]) -> ToolUse:
    state = part["state"]
    return ToolUse(
        part["tool"], state["status"], state.get("input") or {}, state.get("output") or state.get("error") or ""
    )
