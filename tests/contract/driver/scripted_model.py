# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""A model without a network: it reads the prompt and writes what a good model of its family would.

It knows the questions of tool_call_check (plugins/module_utils/tool_call_draws.py) by their wording. What it answers
with, paths and codes, it can only have from the prompt, so that a template which loses them is noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from families import Call, Family

_Answer = tuple[str, list[Call]]
_END = r"(?=[\n<\[]|$)"  # of a question: a line break, or the next marker of a template


def _read(*names: str) -> list[Call]:
    return [("read", {"filePath": name}) for name in names]


_QUESTIONS: tuple[tuple[str, Callable[[re.Match[str]], _Answer]], ...] = (
    (r"Read the files (\S+) and (\S+?)[.,](?=\s|<|\[|$)", lambda seen: ("", _read(*seen.groups()))),
    (r"Explain what you do, then read the file (\S+)\.", lambda seen: ("I read that file.", _read(seen[1]))),
    (r"Read the file (\S+?)(?:\.(?=\s|<|\[|$)| and tell me)", lambda seen: ("", _read(seen[1]))),
    (rf"Run the command: (.+?){_END}", lambda seen: ("", [("bash", {"command": seen[1].strip()})])),
    (
        r"Write (.+?) to the file (\S+)\.",
        lambda seen: ("", [("write", {"filePath": seen[2], "content": seen[1]})]),
    ),
    (
        r"What is the weather in (\w+) in (\w+)\?",
        lambda seen: ("", [("get_weather", {"city": seen[1], "unit": seen[2]})]),
    ),
    (r"What time is it now\?", lambda _seen: ("", [("current_time", {})])),
    (
        rf"Call the tool (\w+) with exactly these arguments: (\{{.*?\}}){_END}",
        lambda seen: ("", [(seen[1], json.loads(seen[2]))]),
    ),
    (r"Tell me a joke\.", lambda _seen: ("A parser walks into a bar.", [])),
    (r"Say hello\.", lambda _seen: ("Hello.", [])),
)
_CODE = re.compile(r"\b\d{5}-[a-z]+\b")
_UNIT: Call = ("set_unit", {"unit": "celsius"})
# Of the tools that the questions are about; a server may leave them out of the prompt.
_TOOLS = re.compile("file_?[pP]ath|yield_time_ms|Set the unit|Set all values")


def answers(prompt: str, family: Family) -> Iterator[str]:
    """What it would like to write, and then what it writes where a grammar leaves no other choice."""
    text, calls = _reply(prompt)
    if not family.parallel:
        del calls[1:]
    if calls and not _TOOLS.search(prompt):
        text, calls = "I have no tools.", []
    yield family.write(text, calls)
    if len(calls) > 1:
        yield family.write(text, calls[:1])
    for forced in (calls, [_UNIT]):
        if forced:
            yield family.write("", forced)
            for key in ("parameters", "arguments"):  # vLLM's own form, and Mistral's
                yield json.dumps([{"name": name, key: values} for name, values in forced], ensure_ascii=False)
            yield json.dumps(forced[0][1], ensure_ascii=False)


def _reply(prompt: str) -> _Answer:
    matches = ((seen, reply) for pattern, reply in _QUESTIONS for seen in re.finditer(pattern, prompt))
    found = max(matches, key=lambda match: match[0].start(), default=None)
    if found is None:
        return "I do not know.", []
    seen, reply = found
    if codes := _CODE.findall(prompt, seen.end()):
        return f"They say {' and '.join(dict.fromkeys(codes))}.", []
    return reply(seen)
