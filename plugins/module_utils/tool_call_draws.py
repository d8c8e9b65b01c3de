# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The questions of the probes, with random values, so that no answer can come from memory.

The wording of the user messages is fixed: the pocket model of the tests is trained on it.
"""

from __future__ import annotations

import json
import random
import string
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import (
    TOOLS,
    Case,
    ExpectedCall,
    an_object,
    text,
    tool,
)

_WORDS = ("kestrel", "lantern", "harbor", "walnut", "meadow", "copper", "violet", "anchor", "pepper")
_FOREIGN = (
    "größe",
    "łódź",
    "漢字",
    "naïve",
    "crème",
    "señor",
    "über",
    "œuvre",
    "Ωmega",
    "día",
    "façade",
    "\u201cq\u201d",
)


SET_UNIT = tool(
    "set_unit",
    "Set the unit in which temperatures are shown.",
    {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit of the temperature"}},
    strict=True,
)
_ANY_UNIT = ExpectedCall("set_unit", free=frozenset({"unit"}))

_PATTERN = text("What to look for")
_TASKS = {
    "type": "array",
    "items": an_object({"content": text("What to do"), "status": {"type": "string", "enum": ["pending", "done"]}}),
    "description": "The whole list",
}
_COUNT = {"type": "integer", "minimum": 1, "default": 20, "description": "How many at most"}
# Beside the tools above, what coding agents offer; with these there are twenty.
MORE_TOOLS: tuple[dict[str, Any], ...] = (
    tool("glob", "Find files by a pattern of their names.", {"pattern": _PATTERN, "path": text("Where")}, ["pattern"]),
    tool("grep", "Find lines in files.", {"pattern": _PATTERN, "include": text("Which files")}, ["pattern"]),
    tool(
        "list", "List a folder.", {"path": text("The folder"), "ignore": {"type": "array", "items": text("A name")}}, []
    ),
    tool("task", "Hand a task to another agent.", {"prompt": text("The task"), "agent": text("Its name")}),
    tool("todowrite", "Write the list of tasks.", {"todos": _TASKS}),
    tool("todoread", "Read the list of tasks.", {}),
    tool("webfetch", "Fetch a web page.", {"url": text("Its address"), "timeout": _COUNT}, ["url"]),
    tool("websearch", "Search the web.", {"query": _PATTERN, "count": _COUNT}, ["query"]),
    tool("codesearch", "Search for examples of code.", {"query": _PATTERN, "tokens": _COUNT}, ["query"]),
    tool("skill", "Load a skill.", {"name": text("Its name")}),
    tool("question", "Ask the user.", {"questions": {"type": "array", "items": text("One question"), "minItems": 1}}),
    tool("apply_patch", "Apply a patch.", {"patch": text("The patch in the unified format")}),
    tool("lsp", "Ask the language server.", {"filePath": text("The file"), "line": _COUNT, "character": _COUNT}),
    tool("batch", "Run several tools.", {"calls": {"type": "array", "items": {"type": "object"}, "maxItems": 10}}),
)


def _user(question: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}]


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


def _code(rng: random.Random) -> str:
    return f"{rng.randint(10000, 99999)}-{rng.choice(_WORDS)}"


def _read_call(rng: random.Random) -> ExpectedCall:
    return ExpectedCall("read", {"filePath": _path(rng)})


def small_talk(_rng: random.Random) -> Case:
    """No tools at all."""
    return Case(_user("Say hello."), tools=())


def joke(_rng: random.Random) -> Case:
    """Tools that are of no use here."""
    return Case(_user("Tell me a joke."))


def read(rng: random.Random) -> Case:
    """One call with a path."""
    call = _read_call(rng)
    return Case(_user(f"Read the file {call.arguments['filePath']}."), calls=(call,))


def read_with_code(rng: random.Random) -> Case:
    """The same, and what the file is going to hold."""
    case = read(rng)
    return Case(case.messages, calls=case.calls, contains=(_code(rng),))


def bash(rng: random.Random) -> Case:
    """One call with a command, and an argument that the model may word as it likes."""
    call = ExpectedCall("bash", {"command": _command(rng)}, free=frozenset({"description"}))
    return Case(_user(f"Run the command: {call.arguments['command']}"), calls=(call,))


def write(rng: random.Random) -> Case:
    """A text that is not ASCII."""
    first, last = rng.sample(_FOREIGN, 2)
    content = f"{first} {_word(rng)} {last}"
    call = ExpectedCall("write", {"filePath": _path(rng), "content": content})
    return Case(_user(f"Write {content} to the file {call.arguments['filePath']}."), calls=(call,))


def two_reads(rng: random.Random) -> Case:
    """Two calls."""
    first, second = _read_call(rng), _read_call(rng)
    question = f"Read the files {first.arguments['filePath']} and {second.arguments['filePath']}."
    return Case(_user(question), calls=(first, second))


def one_of_two_reads(rng: random.Random) -> Case:
    """Two calls are asked for, and the client takes one at a time."""
    case = two_reads(rng)
    return Case(case.messages, calls=case.calls, options={"parallel_tool_calls": False})


def named_read(rng: random.Random) -> Case:
    """The question's own tool, named."""
    case = read(rng)
    return Case(case.messages, calls=case.calls, choice="read")


def required_read(rng: random.Random) -> Case:
    """The question's own tool, required."""
    case = read(rng)
    return Case(case.messages, calls=case.calls, choice="required")


def forbidden_read(rng: random.Random) -> Case:
    """A question for a call, and calls forbidden."""
    return Case(read(rng).messages, choice="none")


def named_unit(_rng: random.Random) -> Case:
    """A tool that the question gives no reason to call, named."""
    return Case(joke(_rng).messages, (*TOOLS, SET_UNIT), (_ANY_UNIT,), choice=_ANY_UNIT.name)


def required_unit(_rng: random.Random) -> Case:
    """A call that the question gives no reason for, required."""
    return Case(joke(_rng).messages, (SET_UNIT,), (_ANY_UNIT,), choice="required")


def result(rng: random.Random) -> Case:
    """The second turn: a call and its result, with content null as most clients send it."""
    call = _read_call(rng)
    code = _code(rng)
    question = f"Read the file {call.arguments['filePath']} and tell me what it says."
    return Case(_user(question) + _turn(rng, None, (call, f"The access code is {code}")), contains=(code,))


def two_results(rng: random.Random) -> Case:
    """The same with two calls at once, and content empty, as other clients send it."""
    first, second = _read_call(rng), _read_call(rng)
    codes = tuple(f"{rng.randint(10000, 99999)}-{word}" for word in rng.sample(_WORDS, 2))
    question = f"Read the files {first.arguments['filePath']} and {second.arguments['filePath']}, what do they say?"
    results = ((first, f"The access code is {codes[0]}"), (second, f"Ask for {codes[1]}"))
    return Case(_user(question) + _turn(rng, "", *results), contains=codes)


def weather(rng: random.Random) -> Case:
    """Two arguments, one of them out of a fixed choice."""
    city = rng.choice(("Berlin", "Oslo", "Madrid", "Vienna", "Lisbon", "Dublin", "Nairobi", "Toronto", "Osaka", "Lima"))
    unit = rng.choice(("celsius", "fahrenheit"))
    call = ExpectedCall("get_weather", {"city": city, "unit": unit})
    return Case(_user(f"What is the weather in {city} in {unit}?"), calls=(call,))


def nested(rng: random.Random) -> Case:
    """Every type of JSON, nested, with text that has to be escaped.

    Each value is the only one that the schema allows: where the server enforces strict schemas the answer is certain
    even for a weak model, and elsewhere a strong one is told the values.
    """
    values = {
        "label": f'{rng.choice(_FOREIGN)} "{_word(rng)}" \\ {rng.choice(_FOREIGN)}\n\t{{end}}',
        "size": rng.randint(-999, 999),
        "ratio": rng.randint(1, 99) + 0.5,
        "active": rng.random() < 0.5,
        "note": None,
        "owner": {"user": _word(rng), "groups": [_word(rng)] * 2},
    }
    only = tool(
        "configure", "Set all values at once.", {name: _only(value) for name, value in values.items()}, strict=True
    )
    question = f"Call the tool configure with exactly these arguments: {json.dumps(values, ensure_ascii=False)}"
    return Case(_user(question), (only,), (ExpectedCall("configure", values),), choice="configure")


def time(_rng: random.Random) -> Case:
    """A tool without arguments."""
    return Case(_user("What time is it now?"), calls=(ExpectedCall("current_time"),))


def explained_read(rng: random.Random) -> Case:
    """Text before a call."""
    call = _read_call(rng)
    return Case(_user(f"Explain what you do, then read the file {call.arguments['filePath']}."), calls=(call,))


def joke_among_many(rng: random.Random) -> Case:
    """Twenty tools, none of use."""
    return Case(joke(rng).messages, read_among_many(rng).tools)


def read_among_many(rng: random.Random) -> Case:
    """As many tools as an agent offers, in any order."""
    case = read(rng)
    return Case(case.messages, tuple(rng.sample((*TOOLS, *MORE_TOOLS), len(TOOLS) + len(MORE_TOOLS))), case.calls)


def _turn(rng: random.Random, content: str | None, *results: tuple[ExpectedCall, str]) -> list[dict[str, Any]]:
    """Calls that were made, as agents replay them, and what the tools returned."""
    # Nine letters and digits: the only form of an id that every template takes (Mistral's refuses others).
    ids = ["".join(rng.choices(string.ascii_letters + string.digits, k=9)) for _result in results]
    calls = [
        {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call_id, (call, _text) in zip(ids, results, strict=True)
    ]
    return [
        {"role": "assistant", "content": content, "tool_calls": calls},
        *tool_results(ids, [returned for _call, returned in results]),
    ]


def tool_results(ids: list[str], texts: list[str]) -> list[dict[str, Any]]:
    """The messages with which a client hands over what its tools returned."""
    pairs = zip(ids, texts, strict=True)
    return [{"role": "tool", "tool_call_id": call_id, "content": returned} for call_id, returned in pairs]


def _only(value: Any) -> dict[str, Any]:
    """The schema that allows this value and no other."""
    if isinstance(value, dict):
        return an_object({name: _only(member) for name, member in value.items()})
    if isinstance(value, list):
        return {"type": "array", "items": _only(value[0]), "minItems": len(value), "maxItems": len(value)}
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return {"type": kinds[type(value)], "enum": [value]}
