# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Whole prompts of typical conversations, to be read: prompts/*.txt."""

from __future__ import annotations

import pytest
from rendering import PROMPTS, TEMPLATES, Conversation, conversations
from standin import Request, load_plugin, whole

CONVERSATIONS = conversations()


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_the_prompt_is_as_committed(conversation: Conversation, template: str) -> None:
    assert conversation.rendered(template) == conversation.prompt(template).read_text(encoding="utf-8")


def test_every_committed_prompt_is_checked() -> None:
    checked = {conversation.prompt(template) for conversation in CONVERSATIONS for template in TEMPLATES}
    assert checked == set(PROMPTS.glob("*.txt"))


@pytest.mark.parametrize("conversation", [c for c in CONVERSATIONS if not c.tools], ids=lambda c: c.name)
def test_without_tools_the_templates_agree(conversation: Conversation) -> None:
    instruct, coder = (conversation.rendered(template) for template in TEMPLATES)
    assert instruct == coder


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("conversation", [c for c in CONVERSATIONS if c.tools], ids=lambda c: c.name)
def test_definitions_are_no_calls(conversation: Conversation, template: str) -> None:
    """A model that recites its definitions has called nothing."""
    preamble = conversation.rendered(template).split("<|im_end|>")[0]
    definitions = [line for line in preamble.splitlines() if line.startswith('{"type": "function"')]
    assert len(definitions) == len(conversation.tools)
    recited = "<tools>\n" + "\n".join(definitions) + "\n</tools>"
    assert whole(load_plugin(), recited, Request()).calls == []


def test_the_coder_template_shows_tools_tags_around_calls_only() -> None:
    prompt = next(c for c in CONVERSATIONS if c.name == "tools_offered").rendered("qwen_coder_tools")
    instruction, *examples = prompt.split("\n\nUser: ")
    assert instruction.count("<tools>") == 1 and "within <tools></tools> tags" in instruction
    plugin = load_plugin()
    mountains = []
    for example in examples:
        calls = example.split("\nAssistant:\n")[1].split("\n\n")[0]
        answer = whole(plugin, calls)
        assert answer.content == ""
        assert {name for name, _ in answer.calls} == {"example_height"}
        mountains.append([arguments["mountain"] for _, arguments in answer.calls])
    assert mountains == [["Elbrus"], ["K2", "Lhotse"]]
