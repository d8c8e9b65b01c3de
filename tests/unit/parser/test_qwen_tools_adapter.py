# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What the adapter does for each era of vLLM, on stand-ins; tests/contract does it on vLLM itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from standin import LAYOUTS, Answer, Request, ToolParserManager, assemble, load_plugin, messages

PLUGIN = load_plugin()
OLD = load_plugin("0.9.2")
CALL = '<tools>{"name": "f", "arguments": {"a": 1}}</tools>'
OURS = re.compile(r"chatcmpl-tool-[0-9a-f]{32}")
END = 7


class Tokenizer:
    eos_token_id = END


def delta(parser: Any, text: str, *, before: str = "", ids: tuple[int, ...] = (1,), request: Any = None) -> Any:
    return parser.extract_tool_calls_streaming(
        previous_text=before,
        current_text=before + text,
        delta_text=text,
        previous_token_ids=[],
        current_token_ids=list(ids),
        delta_token_ids=list(ids),
        request=request or Request(),
    )


def old_stream(parser: Any, *deltas: tuple[str, tuple[int, ...]]) -> list[Any]:
    before, sent = "", []
    for text, ids in deltas:
        sent.append(delta(parser, text, before=before, ids=ids))
        before += text
    return sent


@pytest.mark.parametrize("release", LAYOUTS)
def test_the_plugin_loads_and_registers_on_each_layout(release: str) -> None:
    plugin = load_plugin(release)
    assert ToolParserManager.registered["qwen_tools"] is plugin.QwenToolParser
    assert plugin.QwenToolParser(None).extract_tool_calls(CALL, None).tools_called


def test_the_constructor_passes_on_what_the_release_knows() -> None:
    assert PLUGIN.QwenToolParser(None, ["tool"]).tools == ["tool"]
    assert PLUGIN.QwenToolParser(None, tools=["tool"]).tools == ["tool"]
    assert OLD.QwenToolParser("tokenizer").model_tokenizer == "tokenizer"


def test_ids_are_our_own_and_differ() -> None:
    calls = PLUGIN.QwenToolParser(None).extract_tool_calls(CALL + CALL, Request()).tool_calls
    sent = [tool for message in messages(PLUGIN, [CALL + CALL]) if message for tool in message.tool_calls]
    ids = [call.id for call in [*calls, *sent]]
    assert all(OURS.fullmatch(id_) for id_ in ids)
    assert len(set(ids)) == 4


def test_a_whole_call_in_one_delta_is_one_entry() -> None:
    [first, *_] = messages(PLUGIN, [f"Text {CALL}{CALL}"])
    assert first is not None and first.content == "Text "
    calls = [(tool.index, tool.function and tool.function.arguments) for tool in first.tool_calls]
    assert calls == [(0, '{"a": 1}'), (1, '{"a": 1}')]


def test_only_the_first_delta_of_a_call_has_a_head() -> None:
    sent = [message for message in messages(PLUGIN, [CALL[:40], CALL[40:46], CALL[46:]]) if message]
    assert [bool(message.tool_calls[0].id) for message in sent] == [True, False]
    assert [getattr(message.tool_calls[0].function, "name", "") for message in sent] == ["f", None]


def test_a_delta_that_reveals_nothing_sends_nothing() -> None:
    assert messages(PLUGIN, ["<tools", ">{"])[:2] == [None, None]


@pytest.mark.parametrize("plugin", [PLUGIN, OLD])
def test_no_tools_wanted_means_that_everything_is_text(plugin: Any) -> None:
    request = Request(tool_choice="none")
    parser = plugin.QwenToolParser(Tokenizer())
    assert parser.extract_tool_calls(CALL, request).content == CALL
    assert delta(parser, CALL, request=request).content == CALL


def test_the_end_without_a_stream_says_nothing() -> None:
    assert PLUGIN.QwenToolParser(None).finish_streaming() is None


def test_the_engine_is_told_to_call_at_the_end() -> None:
    assert PLUGIN.QwenToolParser.engine_based_streaming is True


@pytest.mark.parametrize("plugin", [PLUGIN, OLD])
def test_vllm_finds_the_calls_where_it_looks_and_nothing_to_add(plugin: Any) -> None:
    parser = plugin.QwenToolParser(Tokenizer())
    delta(parser, CALL + CALL[:-10])
    assert parser.prev_tool_call_arr == [{"name": "f", "arguments": '{"a": 1}'}, {"name": "f", "arguments": ""}]
    assert parser.streamed_args_for_tool == ['{"a": 1}', ""]
    assert (parser.current_tool_id, parser.current_tool_name_sent) == (1, True)
    assert parser.get_remaining_unstreamed_args() == ""


def test_tools_of_the_responses_api_are_known_by_name() -> None:
    request = type("ResponsesRequest", (), {"tools": [type("Tool", (), {"name": "f"})()], "tool_choice": "auto"})()
    assert PLUGIN.QwenToolParser(None).extract_tool_calls(CALL[7:-8], request).tools_called


def test_tools_given_to_the_constructor_do_when_the_request_has_none() -> None:
    assert PLUGIN.QwenToolParser(None, Request().tools).extract_tool_calls(CALL[7:-8], None).tools_called


def test_an_old_release_gets_what_is_held_with_the_end_token() -> None:
    sent = old_stream(OLD.QwenToolParser(Tokenizer()), ("a <to", (1,)), ("", (END,)))
    assert assemble(sent) == Answer("a <to", [])


def test_an_old_release_gets_what_is_held_with_an_empty_last_delta() -> None:
    sent = old_stream(OLD.QwenToolParser(None), ('{"name": "f", "arguments": {"a": 1}}', (1,)), ("", ()))
    assert assemble(sent) == Answer("", [("f", {"a": 1})])


def test_an_empty_delta_with_other_tokens_is_no_end() -> None:
    sent = old_stream(OLD.QwenToolParser(Tokenizer()), (CALL[:12], (1,)), ("", (2,)), (CALL[12:], (3,)))
    assert assemble(sent) == Answer("", [("f", {"a": 1})])


def test_an_ignored_end_token_is_no_end() -> None:
    request = Request()
    request.ignore_eos = True  # type: ignore[attr-defined]
    parser = OLD.QwenToolParser(Tokenizer())
    assert not delta(parser, CALL[:5], ids=(END,), request=request).content


def test_an_old_release_never_gets_none() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    assert delta(parser, "<tools").content == ""
    assert delta(parser, "", request=Request(tool_choice="none")).content == ""


def test_an_old_release_begins_anew_with_an_empty_past() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    assemble(old_stream(parser, (CALL[:20], (1,))))
    assert assemble(old_stream(parser, (CALL, (1,)))) == Answer("", [("f", {"a": 1})])


def test_an_old_release_cannot_rewrite_the_last_delta() -> None:
    """It looks at the truth of `function`; the Responses API needs it true, later releases have no such code."""
    chat = delta(OLD.QwenToolParser(Tokenizer()), CALL).tool_calls[0].function
    assert not chat and chat.name == "f"
    responses = type("ResponsesRequest", (), {"tools": None, "tool_choice": "auto"})()
    assert delta(OLD.QwenToolParser(Tokenizer()), CALL, request=responses).tool_calls[0].function
    assert delta(PLUGIN.QwenToolParser(Tokenizer()), CALL).tool_calls[0].function
