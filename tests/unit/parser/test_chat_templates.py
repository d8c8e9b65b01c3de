# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What each form of a message, a call and a definition becomes, in both templates."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import TEMPLATES, render, source

DEFAULT_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
AROUND_CALL = {"qwen_tools": ("<tool_call>\n", "\n</tool_call>"), "qwen_coder_tools": ("<tools>\n", "\n</tools>")}
SHARED_FROM = "{#- The shared part:"

every_template = pytest.mark.parametrize("template", TEMPLATES)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def calling(*functions: Any, content: Any = None) -> dict[str, Any]:
    calls = [{"id": f"call_{n}", "type": "function", "function": function} for n, function in enumerate(functions)]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def turn(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"


def call(template: str, text: str) -> str:
    before, after = AROUND_CALL[template]
    return f"\n{before}{text}{after}"


def after_system(rendered: str) -> str:
    head = turn("system", DEFAULT_SYSTEM)
    assert rendered.startswith(head)
    return rendered[len(head) :]


def definition(**more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, **more}}


def test_only_constants_tell_the_templates_apart() -> None:
    own, shared = zip(*(source(template).split(SHARED_FROM) for template in TEMPLATES), strict=True)
    assert shared[0] == shared[1]
    for part in own:
        statements = [line for line in part.splitlines() if line.startswith("{%")]
        assert statements and all(line.startswith("{%- set ") for line in statements)


@every_template
class TestSystem:
    def test_default(self, template: str) -> None:
        assert render(template, [user("hi")]) == turn("system", DEFAULT_SYSTEM) + turn("user", "hi")

    @pytest.mark.parametrize("role", ["system", "developer"])
    @pytest.mark.parametrize("text", ["Be brief.", ""])
    def test_a_message_replaces_the_default(self, template: str, role: str, text: str) -> None:
        rendered = render(template, [{"role": role, "content": text}, user("hi")])
        assert rendered == turn("system", text) + turn("user", "hi")

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_further_messages_keep_their_places(self, template: str, role: str) -> None:
        first, further = {"role": "system", "content": "Be brief."}, {"role": role, "content": "In French."}
        expected = [turn("system", "Be brief."), turn("system", "In French."), turn("user", "hi")]
        assert render(template, [first, further, user("hi"), further]) == "".join([*expected, expected[1]])

    def test_alone(self, template: str) -> None:
        assert render(template, [{"role": "system", "content": "Be brief."}]) == turn("system", "Be brief.")

    def test_no_messages_at_all(self, template: str) -> None:
        assert render(template, []) == turn("system", DEFAULT_SYSTEM)

    def test_definitions_follow_the_text(self, template: str) -> None:
        own = render(template, [{"role": "system", "content": "Be brief."}, user("hi")], tools=[definition()])
        default = render(template, [user("hi")], tools=[definition()])
        assert own.startswith("<|im_start|>system\nBe brief.\n\n# Tools\n\n")
        assert own == default.replace(DEFAULT_SYSTEM, "Be brief.")


@every_template
class TestDefinitions:
    @pytest.mark.parametrize("tools", [None, []])
    def test_none(self, template: str, tools: Any) -> None:
        assert render(template, [user("hi")], tools=tools) == render(template, [user("hi")])

    def test_each_stands_on_its_line(self, template: str) -> None:
        tools = [definition(), definition(description="ö <b> \U0001f600", strict=True)]
        rendered = render(template, [user("hi")], tools=tools)
        assert (
            '\n{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}'
            '\n{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, '
            '"description": "ö <b> \U0001f600", "strict": true}}\n'
        ) in rendered

    def test_null_fields_are_left_out(self, template: str) -> None:
        noisy = {**definition(description=None, strict=None), "defer_loading": None}
        assert render(template, [user("hi")], tools=[noisy]) == render(template, [user("hi")], tools=[definition()])

    def test_nulls_of_a_schema_are_kept(self, template: str) -> None:
        schema = {"type": "object", "properties": {"a": {"enum": [None, 1], "default": None}}}
        rendered = render(template, [user("hi")], tools=[definition(parameters=schema)])
        assert '"parameters": {"type": "object", "properties": {"a": {"enum": [null, 1], "default": null}}}' in rendered


@every_template
class TestContent:
    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (None, ""),
            ("", ""),
            ("  <b>&amp;</b>\n{{ x }}{% y %} ", "  <b>&amp;</b>\n{{ x }}{% y %} "),
            ([], ""),
            ([{"type": "text", "text": "one"}], "one"),
            ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "one\ntwo"),
            ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "one"}], "one"),
            (["one", "two"], "one\ntwo"),
        ],
    )
    @pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
    def test_comes_in_all_forms(self, template: str, role: str, content: Any, text: str) -> None:
        rendered = after_system(render(template, [user("?"), {"role": role, "content": content}]))
        if role == "tool":
            role, text = "user", f"<tool_response>\n{text}\n</tool_response>"
        assert rendered == turn("user", "?") + turn(role, text)

    def test_may_be_absent(self, template: str) -> None:
        assert after_system(render(template, [{"role": "assistant"}])) == turn("assistant", "")


@every_template
class TestCalls:
    @pytest.mark.parametrize("arguments", [{"city": "Köln"}, '{"city": "Köln"}', ' {"city": "Köln"}\n'])
    def test_arguments_are_never_encoded_twice(self, template: str, arguments: Any) -> None:
        rendered = after_system(render(template, [calling({"name": "f", "arguments": arguments})]))
        expected = call(template, '{"name": "f", "arguments": {"city": "Köln"}}')
        assert rendered == f"<|im_start|>assistant{expected}<|im_end|>\n"

    @pytest.mark.parametrize("function", [{}, *({"arguments": empty} for empty in (None, "", " ", {}, "{}"))])
    def test_no_arguments_are_an_empty_object(self, template: str, function: dict[str, Any]) -> None:
        rendered = render(template, [calling({"name": "f", **function})])
        assert call(template, '{"name": "f", "arguments": {}}') in rendered

    def test_half_a_surrogate_pair_is_escaped(self, template: str) -> None:
        rendered = render(template, [calling({"name": "f", "arguments": {"a": "\ud83d", "b": "é\U0001f600"}})])
        assert call(template, '{"name": "f", "arguments": {"a": "\\ud83d", "b": "\\u00e9\\ud83d\\ude00"}}') in rendered
        assert rendered.encode()

    def test_the_function_wrapper_may_be_absent(self, template: str) -> None:
        bare = {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]}
        assert render(template, [bare]) == render(template, [calling({"name": "f", "arguments": {"a": 1}})])

    @pytest.mark.parametrize("content", ["Looking.", [{"type": "text", "text": "Looking."}]])
    def test_text_stands_before_the_calls(self, template: str, content: Any) -> None:
        functions = {"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}
        rendered = after_system(render(template, [calling(*functions, content=content)]))
        first = call(template, '{"name": "f", "arguments": {"a": 1}}')
        second = call(template, '{"name": "g", "arguments": {}}')
        assert rendered == f"<|im_start|>assistant\nLooking.{first}{second}<|im_end|>\n"

    @pytest.mark.parametrize("content", [None, "", []])
    def test_without_text_the_first_call_begins_the_turn(self, template: str, content: Any) -> None:
        """The generation prompt ends where a call begins, so that a replayed call is what was generated."""
        before = render(template, [user("hi")], add_generation_prompt=True)
        rendered = render(template, [user("hi"), calling({"name": "f"}, content=content)])
        assert rendered == before + call(template, '{"name": "f", "arguments": {}}')[1:] + "<|im_end|>\n"

    @pytest.mark.parametrize("calls", [None, []])
    def test_none(self, template: str, calls: Any) -> None:
        message = {"role": "assistant", "content": "Hello.", "tool_calls": calls}
        assert after_system(render(template, [message])) == turn("assistant", "Hello.")


@every_template
class TestResults:
    def test_those_in_a_row_share_a_turn(self, template: str) -> None:
        messages: list[dict[str, Any]] = [
            {"role": "tool", "tool_call_id": "1", "content": "rain"},
            {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "sun"}]},
            {"role": "function", "name": "f", "content": "fog"},
            user("and?"),
            {"role": "tool", "tool_call_id": "3", "content": None},
        ]
        three = "\n".join(f"<tool_response>\n{weather}\n</tool_response>" for weather in ("rain", "sun", "fog"))
        assert after_system(render(template, messages)) == (
            turn("user", three) + turn("user", "and?") + turn("user", "<tool_response>\n\n</tool_response>")
        )


@every_template
@pytest.mark.parametrize("last", [user("hi"), calling({"name": "f"}), {"role": "tool", "content": "x"}])
def test_the_generation_prompt_is_added_on_request(template: str, last: dict[str, Any]) -> None:
    plain = render(template, [last], add_generation_prompt=False)
    assert render(template, [last], add_generation_prompt=True) == plain + "<|im_start|>assistant\n"
    assert render(template, [last]) == plain
