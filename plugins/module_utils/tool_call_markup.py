# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The markup in which models write tool calls, and how to notice that it stayed in the text.

Every model family marks its calls in its own way, and the server's tool call parser must know that way. Where it
does not, the markup is left in ``content`` and the client sees no call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class MarkupFamily:
    """One way to write a call; ``parsers`` are vLLM's names of those that read it, the best first."""

    name: str
    pattern: re.Pattern[str]
    parsers: tuple[str, ...]
    written_by: str
    is_call: bool = True


@dataclass(frozen=True)
class Markup:
    """Markup that was found, and where."""

    family: MarkupFamily
    excerpt: str


def _family(name: str, pattern: str, parsers: tuple[str, ...], written_by: str, is_call: bool = True) -> MarkupFamily:
    return MarkupFamily(name, re.compile(pattern, re.DOTALL), parsers, written_by, is_call)


# In order: what is more specific comes first.
FAMILIES: tuple[MarkupFamily, ...] = (
    _family("<tools>", r"</?tools>", ("qwen_tools",), "Qwen2.5-Coder and fine-tunes of Qwen2.5"),
    _family("<tool_calls>", r"</?tool_calls>", ("jamba",), "Jamba 1.5"),
    _family("<tool_call>", r"</?tool_call>", ("hermes", "qwen_tools"), "Qwen2.5, Hermes 2 Pro and 3"),
    _family("<|tool_call|>", r"<\|tool_call\|>", ("granite",), "Granite 3.0"),
    _family("<function_call>", r"</?function_call>", ("granite-20b-fc",), "Granite 20B function calling"),
    _family("[TOOL_CALLS]", r"\[TOOL_CALLS\]", ("mistral",), "Mistral"),
    _family("<|python_tag|>", r"<\|python_tag\|>", ("llama3_json",), "Llama 3"),
    _family("<|action_start|>", r"<\|action_start\|>|<\|plugin\|>", ("internlm",), "InternLM 2.5"),
    _family("<|channel|>", r"<\|(?:channel|start|call)\|>|\bto=functions\.", ("openai",), "gpt-oss"),
    _family("<think>", r"</?think>", (), "reasoning models", is_call=False),
)
# These look like ordinary text, so they count only when they name a tool that was offered.
_FENCED = _family("```json", r"```(?:json)?\s*(?P<json>[\[{].*?)```", (), "Qwen2.5-Coder")
_BARE = _family("bare JSON", r"(?P<json>\{.*\})", ("llama3_json",), "Llama 3")
_PYTHONIC = _family("[name(argument=…)]", r"\[\s*(?P<name>\w+)\(.*\)\s*\]", ("pythonic",), "Llama 3.2, ToolACE")
_NAMED_CALL = re.compile(r'"name"\s*:\s*"(?P<name>[^"]*)"')


def find_markup(content: str, tool_names: frozenset[str] = frozenset()) -> Markup | None:
    """The first family whose markup is in ``content``."""
    for family in FAMILIES:
        if found := family.pattern.search(content):
            return Markup(family, excerpt(content, found.start()))
    for family in (_FENCED, _BARE):
        found = family.pattern.search(content)
        if found and _names_a_tool(found["json"], tool_names):
            return Markup(family, excerpt(content, found.start()))
    found = _PYTHONIC.pattern.search(content)
    if found and found["name"] in tool_names:
        return Markup(_PYTHONIC, excerpt(content, found.start()))
    return None


def excerpt(text: str, position: int = 0, length: int = 160) -> str:
    """A piece of ``text`` from ``position`` on, on one line."""
    piece = " ".join(text[position : position + length].split())
    return piece + (" …" if position + length < len(text) else "")


def _names_a_tool(text: str, tool_names: frozenset[str]) -> bool:
    named = _NAMED_CALL.search(text)
    return named is not None and named["name"] in tool_names and ('"arguments"' in text or '"parameters"' in text)
