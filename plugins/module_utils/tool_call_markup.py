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
    _family("<tool_call>[…]", r"<tool_call>\s*\[", ("granite",), "Granite 3.1"),
    _family("<tool_call>", r"</?tool_call>", ("hermes", "qwen_tools"), "Qwen2.5, Hermes 2 Pro and 3"),
    _family("<|tool_call|>", r"<\|tool_call\|>", ("granite",), "Granite 3.0"),
    _family("<function_call>", r"</?function_call>", ("granite-20b-fc",), "Granite 20B function calling"),
    _family("[TOOL_CALLS]", r"\[TOOL_CALLS\]", ("mistral",), "Mistral"),
    _family("<|python_tag|>", r"<\|python_tag\|>", ("llama3_json",), "Llama 3"),
    _family("<|action_start|>", r"<\|action_start\|>|<\|plugin\|>", ("internlm",), "InternLM 2.5"),
    _family("<|channel|>", r"<\|(?:channel|start|call)\|>|\bto=functions\.", ("openai",), "gpt-oss"),
    _family("<think>", r"</?think>", (), "reasoning models", is_call=False),
)
# These look like ordinary text, so they count only when they name a tool that was offered. Most models mark their calls
# with special tokens, which vLLM leaves out of the text unless the parser asks for them: such calls are bare, whoever
# wrote them. Then the model's name has to tell.
_FENCED = _family("```json", r"```(?:json)?\s*(?P<json>[\[{].*?)```", (), "Qwen2.5-Coder")
_BARE_LIST = _family(
    "a bare JSON list",
    r"(?P<json>\[\s*\{.*\}\s*\])",
    ("mistral", "granite", "jamba"),
    "Mistral, Granite 3.0 and Jamba 1.5, whose special tokens are left out,",
)
_BARE_PARAMETERS = _family(
    "bare JSON",
    r'(?P<json>\{.*"parameters".*\})',
    ("llama3_json", "internlm"),
    "Llama 3, and InternLM 2.5 without tokens,",
)
_BARE = _family("bare JSON", r"(?P<json>\{.*\})", ("llama3_json", "hermes"), "Llama 3, and Hermes 3 without its tags,")
_PYTHONIC = _family("[name(argument=…)]", r"\[\s*(?P<name>\w+)\(.*\)\s*\]", ("pythonic",), "Llama 3.2, ToolACE")
_NAMED_CALL = re.compile(r'"name"\s*:\s*"(?P<name>[^"]*)"')

# Which parser reads what a model writes, by the name of the model; what is more specific comes first.
_PARSERS_BY_MODEL: tuple[tuple[str, str], ...] = (
    (r"gpt-?oss", "openai"),
    (r"granite.*20b.*func", "granite-20b-fc"),
    (r"granite", "granite"),
    (r"jamba", "jamba"),
    (r"internlm", "internlm"),
    (r"hermes", "hermes"),
    (r"toolace|ultravox", "pythonic"),
    (r"mistral", "mistral"),
    (r"qwen2", "qwen_tools"),
    (r"llama", "llama3_json"),
)


def parser_of_model(*names: object) -> str | None:
    """The parser for a model that goes by these names; None for one that is not known."""
    told = " ".join(str(name).lower() for name in names if name)
    return next((parser for pattern, parser in _PARSERS_BY_MODEL if re.search(pattern, told)), None)


def find_markup(content: str, tool_names: frozenset[str] = frozenset()) -> Markup | None:
    """The first family whose markup is in ``content``."""
    for family in FAMILIES:
        if found := family.pattern.search(content):
            return Markup(family, excerpt(content, found.start()))
    for family in (_FENCED, _BARE_LIST, _BARE_PARAMETERS, _BARE):
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
