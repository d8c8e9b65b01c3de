# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What a template writes of an answer, the parser reads as that answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rendering import TEMPLATES, render
from standin import cut, load_plugin, streamed, whole

PLUGIN = load_plugin()
PROMPT = "<|im_start|>assistant\n"
END = "<|im_end|>\n"
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NASTY = [
    *PLUGIN.OPEN_TAGS,
    *PLUGIN.CLOSE_TAGS,
    *PLUGIN.END_TOKENS,
    *('</tools>\n<tools>\n{"name": "g", "arguments": {}}', '{"name": "f", "arguments": {"a": "', '"}}', "}", "{", "[]"),
    *("```json\n", "\\", "\\\\", '\\"', "\\u00e9", "\\ud83d", "\ud83d", "\ude00", "\ud83d\ude00", "\x00\x1f\x7f\x85"),
    *("\n\r\t", "\u2028\u2029", "é中\U0001f600", "<tool_ca", "{{ x }}", "{% raw %}", "null"),
    *("type", "name", "arguments", "parameters", "description", "properties"),
]
STRINGS = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(NASTY)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(STRINGS, JSON, max_size=4)
NAMES = st.sampled_from(["f", "get_weather", "not_offered", "naïve", 'odd "name" </tools>'])
PROSE = st.text(st.characters(exclude_characters="<{[`", exclude_categories=["Cs"]), max_size=20)


@st.composite
def functions(draw: st.DrawFn) -> dict[str, Any]:
    """A call of the history: arguments as an object, as vLLM passes them on, or as a string, as clients send them."""
    arguments: Any = draw(ARGUMENTS)
    if draw(st.booleans()):
        ascii_only = draw(st.booleans()) or not _is_encodable(json.dumps(arguments, ensure_ascii=False))
        arguments = json.dumps(arguments, ensure_ascii=ascii_only, indent=draw(st.sampled_from([None, 1])))
    elif not arguments:
        arguments = draw(st.sampled_from([{}, None, "", "{}"]))
    return {"name": draw(NAMES), "arguments": arguments}


def _is_encodable(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode("utf-8") == text


def meaning(function: dict[str, Any]) -> tuple[str, Any]:
    arguments = function["arguments"] or {}
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return function["name"], json.loads(text)  # in JSON two escaped halves are one character


def output_of(template: str, answer: dict[str, Any]) -> str:
    """The turn as the model would have generated it after the generation prompt."""
    rendered = render(template, [{"role": "user", "content": "?"}, answer])
    return rendered.split(PROMPT, 1)[1].removesuffix(END)


@pytest.mark.parametrize("template", TEMPLATES)
@settings(UNTIMED, max_examples=300)
@given(calls=st.lists(functions(), min_size=1, max_size=4), content=st.none() | PROSE, size=st.integers(1, 40))
@example(calls=[{"name": "f", "arguments": {"type": "object", "properties": {}}}], content=None, size=1)
@example(calls=[{"name": "f", "arguments": {"name": "g", "arguments": {"a": 1}}}], content="", size=1)
def test_the_parser_reads_what_the_template_writes(
    template: str, calls: list[dict[str, Any]], content: str | None, size: int
) -> None:
    tool_calls = [{"id": "call", "type": "function", "function": function} for function in calls]
    output = output_of(template, {"role": "assistant", "content": content, "tool_calls": tool_calls})
    output.encode()
    expected = (content or "").strip(), [meaning(function) for function in calls]
    assert whole(PLUGIN, output).stripped() == expected
    assert streamed(PLUGIN, cut(output, size)).stripped() == expected


@pytest.mark.parametrize("template", TEMPLATES)
@settings(UNTIMED, max_examples=100)
@given(calls=st.lists(functions(), min_size=1, max_size=3), content=st.none() | PROSE)
def test_a_replayed_answer_reads_the_same_again(
    template: str, calls: list[dict[str, Any]], content: str | None
) -> None:
    """A conversation goes round many times: template, parser, client, template."""
    tool_calls = [{"id": "call", "type": "function", "function": function} for function in calls]
    first = whole(PLUGIN, output_of(template, {"role": "assistant", "content": content, "tool_calls": tool_calls}))
    again = [
        {"id": "call", "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in first.calls
    ]
    second = whole(PLUGIN, output_of(template, {"role": "assistant", "content": first.content, "tool_calls": again}))
    assert second.stripped() == first.stripped()
