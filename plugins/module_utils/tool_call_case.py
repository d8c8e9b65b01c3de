# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One question to an endpoint, with its right answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


def an_object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    """The schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def tool(
    name: str,
    description: str,
    properties: dict[str, Any],
    required: list[str] | None = None,
    *,
    strict: bool = False,
) -> dict[str, Any]:
    """A function as a client offers it; ``strict`` asks the server to enforce the schema of its arguments."""
    function = {"name": name, "description": description, "parameters": an_object(properties, required)}
    return {"type": "function", "function": function | {"strict": True} if strict else function}


def text(description: str) -> dict[str, Any]:
    """The schema of a string."""
    return {"type": "string", "description": description}


# The tools of a coding agent, an enum argument, and a tool without arguments.
TOOLS: tuple[dict[str, Any], ...] = (
    tool("read", "Read a file and return its content.", {"filePath": text("Absolute path of the file to read")}),
    tool(
        "write",
        "Write a file, replacing it if it exists.",
        {"filePath": text("Absolute path of the file to write"), "content": text("The whole new content")},
    ),
    tool(
        "edit",
        "Replace one piece of text in a file.",
        {
            "filePath": text("Absolute path of the file to change"),
            "oldString": text("The text to replace"),
            "newString": text("The text to put in its place"),
        },
    ),
    tool(
        "bash",
        "Run a shell command and return its output.",
        {"command": text("The command to run"), "description": text("What the command does, in a few words")},
        required=["command"],
    ),
    tool(
        "get_weather",
        "Get the current weather of a city.",
        {
            "city": text("Name of the city"),
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit of the temperature"},
        },
    ),
    tool("current_time", "Get the current date and time.", {}),
)


@dataclass(frozen=True)
class ExpectedCall:
    """A call that must be made with exactly these arguments; ``free`` ones may be there with any sound value."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    free: frozenset[str] = frozenset()

    def compared(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What of an actual call's arguments must be equal to the expected ones."""
        return {name: value for name, value in arguments.items() if name not in self.free}

    def __str__(self) -> str:
        return (
            f"{self.name}({json.dumps(self.arguments, ensure_ascii=False) if self.arguments or not self.free else '…'})"
        )


@dataclass(frozen=True)
class Case:
    """One question with its right answer. Several calls may come in any order: an agent runs them all.

    ``choice``: auto, none, required, or the name of the one tool that must be called. ``options``: what else the
    request says.
    """

    messages: list[dict[str, Any]]
    tools: tuple[dict[str, Any], ...] = TOOLS
    calls: tuple[ExpectedCall, ...] = ()
    contains: tuple[str, ...] = ()
    choice: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """auto, none, required or named."""
        return self.choice if self.choice in ("auto", "none", "required") else "named"

    @property
    def one_call(self) -> bool:
        """Whether at most one of the calls may arrive."""
        return self.options.get("parallel_tool_calls") is False

    def request(self, model: str, seed: int, max_tokens: int, *, stream: bool) -> dict[str, Any]:
        """The body for /v1/chat/completions."""
        body: dict[str, Any] = {"model": model, "messages": self.messages}
        if self.tools:
            named = {"type": "function", "function": {"name": self.choice}}
            body |= {"tools": list(self.tools), "tool_choice": named if self.kind == "named" else self.choice}
        body |= {"temperature": 0, "top_p": 1, "seed": seed, "max_tokens": max_tokens, "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        return body | self.options

    def expected(self) -> str:
        """The right answer in words."""
        if self.calls:
            calls = (" or " if self.one_call else " and ").join(map(str, self.calls))
            return f"{calls}, nothing of the call in the text"
        holding = f" that contains {' and '.join(map(repr, self.contains))}" if self.contains else ""
        return f"text{holding}, no tool call, finish_reason stop"
