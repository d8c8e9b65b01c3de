# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Claude Code in a home and a project of its own, and what it records of a session."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .session import Session, ToolUse

_SECONDS = 120


@dataclass(frozen=True)
class ClaudeCode:
    """``home`` holds its files and records, ``project`` is where it works."""

    program: Path
    home: Path
    project: Path
    api_key: str

    @property
    def settings(self) -> Path:
        return self.home / ".claude/vllm.settings.json"

    def ask(self, text: str, *options: str) -> Session:
        """One message, until the agent has ended its turn; what it may do in its project it does unasked."""
        unasked = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash")
        printing = ("--print", "--output-format", "json")
        done = self._run("--settings", str(self.settings), *unasked, *options, *printing, "--", text)
        if not done.stdout.startswith("{"):
            return Session((), (), done.stdout + done.stderr)
        result = json.loads(done.stdout)
        said = self._recorded(result["session_id"], text)
        parts = [part for message in said if isinstance(message["content"], list) for part in message["content"]]
        results = {part["tool_use_id"]: part for part in parts if part["type"] == "tool_result"}
        return Session(
            tuple(_use(part, results) for part in parts if part["type"] == "tool_use"),
            tuple(part["text"] for part in parts if part["type"] == "text"),
            result["result"] if result["is_error"] else "",
        )

    def compactions(self) -> int:
        """How often it has compacted the one conversation of this home."""
        return sum(line.get("subtype") == "compact_boundary" for line in self._lines("*"))

    def _recorded(self, session: str, text: str) -> list[dict[str, Any]]:
        """The messages that follow this one, out of the file that Claude Code keeps of each session."""
        lines = self._lines(session)
        messages: list[dict[str, Any]] = [line["message"] for line in lines if line["type"] in ("user", "assistant")]
        asked = max(number for number, message in enumerate(messages) if message["content"] == text)
        return messages[asked + 1 :]

    def _lines(self, session: str) -> list[dict[str, Any]]:
        (file,) = (self.home / ".claude/projects").rglob(f"{session}.jsonl")
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "CLAUDE"))}
        own |= {"HOME": str(self.home), "VLLM_API_KEY": self.api_key}
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


def _use(call: dict[str, Any], results: dict[str, dict[str, Any]]) -> ToolUse:
    result = results.get(call["id"], {})
    status = "pending" if not result else "error" if result.get("is_error") else "completed"
    return ToolUse(call["name"], status, call["input"], str(result.get("content", "")))
