# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Codex in a home and a project of its own, and what it records of a session."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .session import Session, ToolUse

_SECONDS = 120
PROFILE = "vllm"


@dataclass(frozen=True)
class Codex:
    """``home`` holds its files and records, ``project`` is where it works."""

    program: Path
    home: Path
    project: Path
    api_key: str

    @property
    def profile(self) -> Path:
        return self.home / f".codex/{PROFILE}.config.toml"

    def ask(self, text: str) -> Session:
        """One message, until the agent has ended its turn; nobody is asked for a permission, nothing is caged."""
        unasked = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
        done = self.run("exec", "--profile", PROFILE, "--json", *unasked, "--", text)
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        failures = [event["error"]["message"] for event in events if event["type"] == "turn.failed"]
        if done.returncode != 0 and not failures:
            failures = [done.stdout + done.stderr]
        threads = [event["thread_id"] for event in events if event["type"] == "thread.started"]
        items = self._recorded(threads[0]) if threads else []
        outputs = {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
        return Session(
            tuple(_use(item, outputs) for item in items if item["type"] == "function_call"),
            tuple(_text(item) for item in items if item["type"] == "message" and item["role"] == "assistant"),
            "\n".join(failures),
        )

    def doctor(self) -> dict[str, Any]:
        """What it says of its own installation and files."""
        checks: dict[str, Any] = json.loads(self.run("doctor", "--json").stdout)["checks"]
        return checks

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("CODEX_", "OPENAI_"))}
        own |= {"HOME": str(self.home), "CODEX_HOME": str(self.home / ".codex"), "VLLM_API_KEY": self.api_key}
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

    def _recorded(self, thread: str) -> list[dict[str, Any]]:
        """The conversation, out of the file that Codex keeps of each."""
        (file,) = (self.home / ".codex/sessions").rglob(f"*{thread}.jsonl")
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return [line["payload"] for line in lines if line["type"] == "response_item"]


def _use(call: dict[str, Any], outputs: dict[str, str]) -> ToolUse:
    return ToolUse(call["name"], call["status"], json.loads(call["arguments"]), outputs.get(call["call_id"], ""))


def _text(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"])
