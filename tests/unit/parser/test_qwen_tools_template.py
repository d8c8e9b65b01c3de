# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""The chat template, rendered as transformers renders it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from standin import ROOT, load_plugin

TEMPLATE = ROOT / "roles" / "vllm" / "files" / "chat_templates" / "qwen_tools.jinja"
DEFAULT_SYSTEM = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Wetter für eine Stadt",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "default": None}}},
    },
}
# What Qwen2.5 was trained on, with one definition.
PREAMBLE = (
    "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
    '{"type": "function", "function": {"name": "get_weather", "description": "Wetter für eine Stadt", '
    '"parameters": {"type": "object", "properties": {"city": {"type": "string", "default": null}}}}}'
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
    "</tool_call><|im_end|>\n"
)


def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
ENVIRONMENT.filters["tojson"] = to_json
COMPILED = ENVIRONMENT.from_string(TEMPLATE.read_text(encoding="utf-8"))


def render(messages: list[dict[str, Any]], **more: Any) -> str:
    return COMPILED.render(messages=messages, **more)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def calling(*functions: dict[str, Any], content: Any = None) -> dict[str, Any]:
    calls = [{"id": f"call_{n}", "type": "function", "function": function} for n, function in enumerate(functions)]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def turn(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"


def after_system(rendered: str) -> str:
    head = DEFAULT_SYSTEM + "<|im_end|>\n"
    assert rendered.startswith(head)
    return rendered[len(head) :]


def test_the_default_system_prompt_is_qwens() -> None:
    assert render([user("hi")]) == DEFAULT_SYSTEM + "<|im_end|>\n" + turn("user", "hi")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_replaces_the_default(role: str) -> None:
    rendered = render([{"role": role, "content": "Be brief."}, user("hi")])
    assert rendered == turn("system", "Be brief.") + turn("user", "hi")


def test_an_empty_system_message_stays_empty() -> None:
    assert render([{"role": "system", "content": ""}, user("hi")]) == turn("system", "") + turn("user", "hi")


def test_a_later_system_message_keeps_its_place() -> None:
    rendered = render([user("hi"), {"role": "system", "content": "Now in French."}])
    assert after_system(rendered) == turn("user", "hi") + turn("system", "Now in French.")


def test_definitions_are_introduced_as_in_training() -> None:
    assert render([user("hi")], tools=[WEATHER]) == DEFAULT_SYSTEM + PREAMBLE + turn("user", "hi")


def test_definitions_follow_the_system_message() -> None:
    rendered = render([{"role": "system", "content": "Be brief."}, user("hi")], tools=[WEATHER])
    assert rendered == "<|im_start|>system\nBe brief." + PREAMBLE + turn("user", "hi")


def test_null_fields_of_a_definition_are_left_out_and_nulls_in_its_schema_are_kept() -> None:
    noisy = {**WEATHER, "defer": None, "function": {**WEATHER["function"], "strict": None}}  # type: ignore[dict-item]
    assert render([user("hi")], tools=[noisy]) == render([user("hi")], tools=[WEATHER])


@pytest.mark.parametrize("tools", [None, []])
def test_without_tools_there_is_no_preamble(tools: list[Any] | None) -> None:
    assert "# Tools" not in render([user("hi")], tools=tools)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("", ""),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ([{"type": "text", "text": "one"}], "one"),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "one\ntwo"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "one"}], "one"),
        (["one", "two"], "one\ntwo"),
        ([], ""),
    ],
)
def test_content_comes_in_all_forms(content: Any, text: str) -> None:
    assert after_system(render([user(content)])) == turn("user", text)


@pytest.mark.parametrize("arguments", [{"city": "Köln"}, '{"city": "Köln"}', ' {"city": "Köln"}\n'])
def test_arguments_are_never_encoded_twice(arguments: Any) -> None:
    rendered = after_system(render([calling({"name": "get_weather", "arguments": arguments})]))
    call = '{"name": "get_weather", "arguments": {"city": "Köln"}}'
    assert rendered == f"<|im_start|>assistant\n<tool_call>\n{call}\n</tool_call><|im_end|>\n"


@pytest.mark.parametrize("arguments", [None, "", {}, "{}"])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    assert '{"name": "f", "arguments": {}}' in render([calling({"name": "f", "arguments": arguments})])


def test_calls_without_the_function_wrapper_are_taken() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": {"a": 1}}]}
    assert render([message]) == render([calling({"name": "f", "arguments": {"a": 1}})])


def test_text_stands_before_the_calls_of_one_message() -> None:
    functions = {"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}
    rendered = after_system(render([calling(*functions, content="Looking.")]))
    assert rendered == (
        "<|im_start|>assistant\nLooking."
        '\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
        '\n<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call><|im_end|>\n'
    )


@pytest.mark.parametrize("calls", [None, []])
def test_an_assistant_without_calls_is_plain(calls: list[Any] | None) -> None:
    message = {"role": "assistant", "content": "Hello.", "tool_calls": calls}
    assert after_system(render([message])) == turn("assistant", "Hello.")


def test_results_in_a_row_share_a_turn() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "tool", "tool_call_id": "1", "content": "rain"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "sun"}]},
        user("and?"),
        {"role": "function", "name": "f", "content": None},
    ]
    assert after_system(render(messages)) == (
        turn("user", "<tool_response>\nrain\n</tool_response>\n<tool_response>\nsun\n</tool_response>")
        + turn("user", "and?")
        + turn("user", "<tool_response>\n\n</tool_response>")
    )


def test_the_generation_prompt_is_added_on_request() -> None:
    plain = render([user("hi")], add_generation_prompt=False)
    assert render([user("hi")], add_generation_prompt=True) == plain + "<|im_start|>assistant\n"


def test_no_messages_render() -> None:
    assert render([]) == DEFAULT_SYSTEM + "<|im_end|>\n"


def test_the_parser_reads_what_the_template_writes() -> None:
    functions = [
        {"name": "write", "arguments": {"text": 'a "quoted" </tool_call>\n\ttab \U0001f600 é', "n": [1, None, True]}},
        {"name": "f", "arguments": {}},
    ]
    rendered = render([calling(*functions, content="Two calls:")])
    output = rendered.split("<|im_start|>assistant\n")[1].removesuffix("<|im_end|>\n")
    plugin = load_plugin()
    information = plugin.QwenToolParser(None).extract_tool_calls(output, None)
    assert information.content.strip() == "Two calls:"
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in information.tool_calls]
    assert calls == [(function["name"], function["arguments"]) for function in functions]
