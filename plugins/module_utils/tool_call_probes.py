# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of an endpoint, and what a right answer is.

A probe is data: what it proves, for whom, and how to draw a case with random values, so that no answer can come
from memory. The wording of the user messages is fixed: the pocket model of the tests is trained on it.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _tool(name: str, description: str, properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


# The tools of a coding agent, an enum argument, and a tool without arguments.
TOOLS: tuple[dict[str, Any], ...] = (
    _tool("read", "Read a file and return its content.", {"filePath": _text("Absolute path of the file to read")}),
    _tool(
        "write",
        "Write a file, replacing it if it exists.",
        {"filePath": _text("Absolute path of the file to write"), "content": _text("The whole new content")},
    ),
    _tool(
        "edit",
        "Replace one piece of text in a file.",
        {
            "filePath": _text("Absolute path of the file to change"),
            "oldString": _text("The text to replace"),
            "newString": _text("The text to put in its place"),
        },
    ),
    _tool(
        "bash",
        "Run a shell command and return its output.",
        {"command": _text("The command to run"), "description": _text("What the command does, in a few words")},
        required=["command"],
    ),
    _tool(
        "get_weather",
        "Get the current weather of a city.",
        {
            "city": _text("Name of the city"),
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit of the temperature"},
        },
    ),
    _tool("current_time", "Get the current date and time.", {}),
)


@dataclass(frozen=True)
class ExpectedCall:
    """A call that must be made with exactly these arguments; ``free`` ones may be there with any value."""

    name: str
    arguments: dict[str, Any]
    free: frozenset[str] = frozenset()

    def compared(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What of an actual call's arguments must be equal to the expected ones."""
        return {name: value for name, value in arguments.items() if name not in self.free}


@dataclass(frozen=True)
class Case:
    """One question with its right answer. Several calls may come in any order: an agent runs them all."""

    messages: list[dict[str, Any]]
    tools: tuple[dict[str, Any], ...] = TOOLS
    calls: tuple[ExpectedCall, ...] = ()
    contains: str = ""

    def request(self, model: str, seed: int, max_tokens: int, *, stream: bool) -> dict[str, Any]:
        """The body for /v1/chat/completions."""
        body: dict[str, Any] = {"model": model, "messages": self.messages}
        if self.tools:
            body |= {"tools": list(self.tools), "tool_choice": "auto"}
        body |= {"temperature": 0, "top_p": 1, "seed": seed, "max_tokens": max_tokens, "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        return body

    def expected(self) -> str:
        """The right answer in words."""
        if self.calls:
            calls = " and ".join(f"{call.name}({json.dumps(call.arguments)})" for call in self.calls)
            return f"{calls}, finish_reason tool_calls, nothing of the call in the text"
        return f"text{f' that contains {self.contains!r}' if self.contains else ''}, no tool call, finish_reason stop"


_AUTO = frozenset({"tool_choice=auto"})


@dataclass(frozen=True)
class Probe:
    """What a probe proves, and how to draw a case of it."""

    id: str
    title: str
    proves: str
    draw: Callable[[random.Random], Case]
    needs: frozenset[str] = _AUTO  # capabilities of a profile without which there is nothing to prove

    def case(self, seed: int, attempt: int) -> Case:
        """The same seed and attempt give the same values, whichever other probes run."""
        return self.draw(random.Random(f"{seed}/{self.id}/{attempt}"))


def select(wanted: list[str]) -> list[Probe]:
    """The probes with these ids, in their own order; the number alone (T3) means all of that number."""
    known = {probe.id for probe in PROBES} | {probe.id.partition("-")[0] for probe in PROBES}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"unknown probes: {', '.join(unknown)} (known: {', '.join(probe.id for probe in PROBES)})")
    return [probe for probe in PROBES if not wanted or {probe.id, probe.id.partition("-")[0]} & set(wanted)]


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _word(rng: random.Random, shortest: int = 3, longest: int = 6) -> str:
    return "".join(rng.choices(string.ascii_lowercase + string.digits, k=rng.randint(shortest, longest)))


def _path(rng: random.Random) -> str:
    folders = [rng.choice(("srv", "home", "opt", "var", "data", "tmp", "mnt"))]
    folders += [_word(rng) for _folder in range(rng.randint(1, 3))]
    name = rng.choice(("notes", "report", "config", "main", "todo", "log", "index"))
    return f"/{'/'.join(folders)}/{name}-{rng.randint(10000, 99999)}.{rng.choice(('txt', 'md', 'py', 'json', 'log'))}"


def _command(rng: random.Random) -> str:
    folder = f"/{rng.choice(('srv', 'var', 'opt', 'home'))}/{_word(rng)}"
    number = rng.randint(2, 99)
    return rng.choice(
        (
            f"ls -la {folder} | head -n {number}",
            f"grep -rn {_word(rng)} {folder} | tail -n {number}",
            f"wc -l {_path(rng)}",
            f"find {folder} -mtime -{number} -type f",
            f"cd {folder} && ls -t | head -n {number}",
        )
    )


def _read_call(rng: random.Random) -> ExpectedCall:
    return ExpectedCall("read", {"filePath": _path(rng)})


def _draw_read(rng: random.Random) -> Case:
    call = _read_call(rng)
    return Case(_user(f"Read the file {call.arguments['filePath']}."), calls=(call,))


def _draw_bash(rng: random.Random) -> Case:
    call = ExpectedCall("bash", {"command": _command(rng)}, free=frozenset({"description"}))
    return Case(_user(f"Run the command: {call.arguments['command']}"), calls=(call,))


def _draw_parallel(rng: random.Random) -> Case:
    first, second = _read_call(rng), _read_call(rng)
    text = f"Read the files {first.arguments['filePath']} and {second.arguments['filePath']}."
    return Case(_user(text), calls=(first, second))


def _draw_result(rng: random.Random) -> Case:
    call = _read_call(rng)
    word = rng.choice(("kestrel", "lantern", "harbor", "walnut", "meadow", "copper", "violet", "anchor", "pepper"))
    code = f"{rng.randint(10000, 99999)}-{word}"
    # Nine letters and digits: the only form of an id that every template takes (Mistral's refuses others).
    call_id = "".join(rng.choices(string.ascii_letters + string.digits, k=9))
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    history: list[dict[str, Any]] = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call_id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call_id, "content": f"The access code is {code}"},
    ]
    question = _user(f"Read the file {call.arguments['filePath']} and tell me what it says.")
    return Case(question + history, contains=code)


def _draw_enum(rng: random.Random) -> Case:
    city = rng.choice(("Berlin", "Oslo", "Madrid", "Vienna", "Lisbon", "Dublin", "Nairobi", "Toronto", "Osaka", "Lima"))
    unit = rng.choice(("celsius", "fahrenheit"))
    call = ExpectedCall("get_weather", {"city": city, "unit": unit})
    return Case(_user(f"What is the weather in {city} in {unit}?"), calls=(call,))


PROBES: tuple[Probe, ...] = (
    Probe(
        "T1-chat",
        "plain chat answers",
        "The endpoint generates text at all, and does not make calls up when it is offered no tools.",
        lambda rng: Case(_user("Say hello."), tools=()),
        frozenset(),
    ),
    Probe(
        "T2-no-tool",
        "tools offered, none needed",
        "An agent can talk with its user: the model answers without a call where no tool helps.",
        lambda rng: Case(_user("Tell me a joke.")),
    ),
    Probe(
        "T3-read",
        "one call, a path copied",
        "A coding agent can read a file: the right tool with exactly the path it was told.",
        _draw_read,
    ),
    Probe(
        "T3-bash",
        "one call, a command copied",
        "A coding agent can run a command: free text arrives unchanged, pipes and all.",
        _draw_bash,
    ),
    Probe(
        "T4-parallel",
        "two calls in one answer",
        "Agents that call several tools at once lose none of the calls.",
        _draw_parallel,
        _AUTO | {"parallel"},
    ),
    Probe(
        "T8-result",
        "a tool result is used",
        "The second turn of every agent works: the template renders a call and its result, and the model uses it.",
        _draw_result,
    ),
    Probe(
        "T9-enum",
        "two arguments, one an enum",
        "Several arguments arrive complete, and a fixed choice stays within its values.",
        _draw_enum,
    ),
    Probe(
        "T10-no-arguments",
        "a tool without arguments",
        "Tools without parameters arrive with {} as arguments, which clients can parse, streamed too.",
        lambda rng: Case(_user("What time is it now?"), calls=(ExpectedCall("current_time", {}),)),
    ),
)
