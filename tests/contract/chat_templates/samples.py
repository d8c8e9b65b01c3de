# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Random conversations, the same in every run."""

from __future__ import annotations

import random
from typing import Any

Message = dict[str, Any]

_TEXTS = (
    *("", " ", "hi", "Be brief.", "two\nlines\n", "\ttab \\ \"quoted\" 'single'", "<b>&amp;</b>", "Grüße, 中文, 🙂"),
    *("{{ x }} {% y %} {# z #}", "```json\n{}\n```", '{"name": "f", "arguments": {}}', "<tools></tools>"),
    *("<tool_call>\n{\n</tool_call>", "\u2028\x00\x7f", "0", "null", "\r\n"),
)
_NAMES = ("f", "get_weather", "write-file", "a.b", "ns_0")


class Sampler:
    """Conversations that the models' own template takes too ("ordinary"), and any that a client may send."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def conversation(self, *, ordinary: bool, tools: bool) -> dict[str, Any]:
        pick = self._random
        messages = [self._turn(ordinary, tools) for _ in range(pick.randint(1, 6))]
        if pick.random() < 0.5:
            messages.insert(0, {"role": "system" if ordinary else self._system_role(), "content": self._text(ordinary)})
        return {
            "messages": messages,
            "tools": [self._definition(ordinary) for _ in range(pick.randint(1, 3))] if tools else None,
            "add_generation_prompt": pick.random() < 0.5,
        }

    def _turn(self, ordinary: bool, tools: bool) -> Message:
        pick = self._random
        role = pick.choice(["system" if ordinary else self._system_role(), "user", "user", "assistant"])
        if tools and pick.random() < 0.5:
            role = pick.choice(["tool", "assistant"])
            if role == "assistant":
                calls = [self._call(ordinary) for _ in range(pick.randint(1, 3))]
                content = pick.choice([None, self._text(ordinary)])
                return {"role": role, "content": content, "tool_calls": calls}
        return {"role": role, "content": self._text(ordinary)}

    def _system_role(self) -> str:
        return self._random.choice(["system", "developer"])

    def _text(self, ordinary: bool) -> Any:
        text = self._random.choice(_TEXTS)
        parts = [{"type": "text", "text": text}, {"type": "text", "text": self._random.choice(_TEXTS)}]
        return text if ordinary else self._random.choice([text, None, [], parts, parts[:1]])

    def _call(self, ordinary: bool) -> Message:
        arguments: Any = {name: self._value(3) for name in self._random.sample(_NAMES, self._random.randint(0, 3))}
        if not ordinary:
            arguments = self._random.choice([arguments, None, "", '{"a": "\\u00e9"}', {"half": "\ud83d"}])
        function = {"name": self._random.choice(_NAMES), "arguments": arguments}
        return {"id": "call_1", "type": "function", "function": function}

    def _definition(self, ordinary: bool) -> Message:
        properties = {self._random.choice(_NAMES): {"type": "string", "default": self._value(2)}}
        function: Message = {"name": self._random.choice(_NAMES), "description": self._random.choice(_TEXTS)}
        function["parameters"] = {"type": "object", "properties": properties}
        if not ordinary:
            function["strict"] = None
        return {"type": "function", "function": function}

    def _value(self, depth: int) -> Any:
        pick = self._random
        if depth and pick.random() < 0.4:
            inner = [self._value(depth - 1) for _ in range(pick.randint(0, 3))]
            return inner if pick.random() < 0.5 else dict(zip(_TEXTS, inner, strict=False))
        return pick.choice([*_TEXTS, None, True, False, 0, -1, 2**70, 0.1, 1e300])
