# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real OpenCode in a home and a project of its own, and what it records of a session."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .session import Session, ToolUse

_SECONDS = 300
# Its tools in their order: with them the model's prompt is the same in a plain request as from OpenCode.
TOOLS = ("bash", "edit", "glob", "grep", "read", "skill", "task", "todowrite", "webfetch", "write")


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
        sessions = [event["sessionID"] for event in events if event.get("sessionID")]
        if not sessions:
            return Session((), (), error or done.stdout + done.stderr)
        parts = self._recorded(sessions[0])
        return Session(
            tuple(_use(part) for part in parts if part["type"] == "tool"),
            tuple(part["text"] for part in parts if part["type"] == "text" and part["role"] == "assistant"),
            error,
        )

    def _recorded(self, session: str) -> list[dict[str, Any]]:
        """The parts of a session's messages, with their ``role``, out of the database that OpenCode keeps of them.

        ``opencode export`` gives the same and takes as long as the agent itself.
        """
        query = (
            "select message.data, part.data from part join message on message.id = part.message_id "
            "where part.session_id = ? order by part.id"
        )
        with closing(sqlite3.connect(self.home / ".local/share/opencode/opencode.db")) as database:
            rows = database.execute(query, (session,)).fetchall()
        return [{**json.loads(part), "role": json.loads(message)["role"]} for message, part in rows]

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
