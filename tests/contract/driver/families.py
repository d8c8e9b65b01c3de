# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What each family of models writes when it calls tools, and which of that are tokens of its vocabulary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Family:
    """``special``: tokens that are left out of the text unless the parser asks for them; ``added``: never."""

    write_calls: Callable[[list[Call]], str]
    special: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    text_first: bool = True  # text before a call is part of its format
    parallel: bool = True  # several calls in an answer are

    def write(self, text: str, calls: list[Call]) -> str:
        """A whole answer."""
        if not calls:
            return text
        return f"{text}\n{self.write_calls(calls)}" if text and self.text_first else self.write_calls(calls)


class Harmony(Family):
    """gpt-oss: every part of an answer is a message of its own, and the prompt has the first one's start."""

    def write(self, text: str, calls: list[Call]) -> str:
        parts = ["<|channel|>analysis<|message|>I think.<|end|>"]
        if text:
            parts.append(f"<|channel|>{'commentary' if calls else 'final'}<|message|>{text}<|end|>")
        if calls:
            parts.append(self.write_calls(calls))
        return "<|start|>assistant".join(parts).removesuffix("<|end|>").removesuffix("<|call|>")


def _object(call: Call, key: str = "arguments") -> str:
    return json.dumps({"name": call[0], key: call[1]}, ensure_ascii=False)


def _each(form: str, between: str = "\n", key: str = "arguments") -> Callable[[list[Call]], str]:
    return lambda calls: between.join(form.replace("{}", _object(call, key)) for call in calls)


def _list(form: str) -> Callable[[list[Call]], str]:
    return lambda calls: form.replace("{}", ", ".join(map(_object, calls)))


def _pythonic(calls: list[Call]) -> str:
    written = (f"{name}({', '.join(f'{key}={value!r}' for key, value in values.items())})" for name, values in calls)
    return f"[{', '.join(written)}]"


def _harmony(calls: list[Call]) -> str:
    """Without the header of the assistant's first message, which the prompt ends with."""
    messages = (
        f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{json.dumps(values)}<|call|>"
        for name, values in calls
    )
    return "<|start|>assistant".join(messages)


# The forms are those of the models' documentation and of vLLM's templates and tests for them.
FAMILIES = {
    "gpt-oss": Harmony(_harmony, parallel=False),
    "granite-20b": Family(_each("<function_call> {}"), text_first=False),
    "granite-3.0": Family(_list("<|tool_call|>[{}]"), special=("<|tool_call|>",), text_first=False),
    "granite-3.1": Family(_list("<tool_call>[{}]"), special=("<|tool_call|>",), text_first=False),
    "hermes": Family(_each("<tool_call>\n{}\n</tool_call>"), special=("<tool_call>", "</tool_call>")),
    "internlm": Family(
        _each("<|action_start|><|plugin|>\n{}<|action_end|>", key="parameters"),
        special=("<|action_start|>", "<|plugin|>", "<|action_end|>"),
        parallel=False,
    ),
    "jamba": Family(_list("<tool_calls>[\n    {}\n]</tool_calls>"), special=("<tool_calls>", "</tool_calls>")),
    "llama3": Family(_each("{}", key="parameters"), special=("<|python_tag|>",), text_first=False, parallel=False),
    "mistral": Family(_list("[TOOL_CALLS] [{}]"), special=("[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[TOOL_RESULTS]")),
    "pythonic": Family(_pythonic, text_first=False),
    "qwen": Family(_each("<tool_call>\n{}\n</tool_call>"), added=("<tool_call>", "</tool_call>")),
    "qwen-coder": Family(_each("<tools>\n{}\n</tools>"), added=("<tool_call>", "</tool_call>")),
}


def tokens(families: Iterable[Family]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(token for family in families for token in (*family.special, *family.added)))
