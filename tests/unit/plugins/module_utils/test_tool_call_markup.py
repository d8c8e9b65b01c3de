# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_markup import find_markup, parser_of_model

from tests.profiles import reading

NAMES = frozenset({"read", "bash"})
CALL = '{"name": "read", "arguments": {"filePath": "/a"}}'


@pytest.mark.parametrize(
    ("content", "family"),
    [
        (f"<tools>{CALL}</tools>", "<tools>"),
        (f"<tools>\n{CALL}", "<tools>"),
        (f"Sure. <tool_call>\n{CALL}\n</tool_call>", "<tool_call>"),
        (f"{CALL}</tool_call>", "<tool_call>"),
        (f"<tool_calls>[{CALL}]</tool_calls>", "<tool_calls>"),
        (f"[TOOL_CALLS] [{CALL}]", "[TOOL_CALLS]"),
        ('<|python_tag|>{"name": "read", "parameters": {}}', "<|python_tag|>"),
        (f"<|tool_call|>[{CALL}]", "<|tool_call|>"),
        (f"<function_call> {CALL}", "<function_call>"),
        (f"<|action_start|><|plugin|>{CALL}<|action_end|>", "<|action_start|>"),
        ("<|start|>assistant<|channel|>commentary to=functions.read", "<|channel|>"),
        ("assistantcommentary to=functions.read json{}", "<|channel|>"),
        (f"```json\n{CALL}\n```", "```json"),
        (f"```\n{CALL}\n```", "```json"),
        (CALL, "bare JSON"),
        ('I will: {"name": "bash", "parameters": {"command": "ls"}}', "bare JSON"),
        (f"[{CALL}, {CALL}]", "a bare JSON list"),
        (f"<tool_call>[{CALL}]", "<tool_call>[…]"),
        ('[read(filePath="/a")]', "[name(argument=…)]"),
        ("[read(filePath='/a'), bash(command='ls')]", "[name(argument=…)]"),
        ("<think>\nhm", "<think>"),
    ],
)
def test_markup_is_found(content: str, family: str) -> None:
    markup = find_markup(content, NAMES)
    assert markup is not None and markup.family.name == family


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Hello!",
        "Use the tool_call field, or tools.",
        '{"name": "Ada", "arguments": "none"}',
        '{"name": "read"}',
        '```json\n{"name": "pip", "arguments": []}\n```',
        "See [1] and [name(x)].",
        "if a < b: return [c(d)]",
    ],
)
def test_ordinary_text_is_left_alone(content: str) -> None:
    assert find_markup(content, NAMES) is None


def test_the_excerpt_begins_at_the_markup() -> None:
    markup = find_markup(f"{'x' * 500}<tools>\n{CALL}</tools>", NAMES)
    assert markup is not None and markup.excerpt.startswith('<tools> {"name"')


@pytest.mark.parametrize(
    ("names", "parser"),
    [
        (("chat", "/models/Mistral-7B-Instruct-v0.3"), "mistral"),
        (("granite-20b-functioncalling",), "granite-20b-fc"),
        (("granite-3.0-8b-instruct",), "granite"),
        (("hermes-3-llama-3.1-8b",), "hermes"),
        (("ultravox-v0.4-toolace-8b", None), "pythonic"),
        (("chat", None), None),
    ],
)
def test_a_models_name_tells_its_parser(names: tuple[str | None, ...], parser: str | None) -> None:
    assert parser_of_model(*names) == parser


def test_the_profiles_parsers_are_those_that_their_names_tell() -> None:
    """Told by a model's name is what its profile says; Llama 3.2's other form is an exception that users choose."""
    for name in reading.names():
        profile = reading.read(name)
        if not profile["model"].get("local"):
            assert parser_of_model(profile["model"]["id"]) == profile["tool_calls"]["parser"], name
