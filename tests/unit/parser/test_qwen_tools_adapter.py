# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What the adapter does for each era of vLLM, on stand-ins; tests/contract does it on vLLM itself."""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from typing import Any

import pytest
from standin import (
    LAYOUTS,
    Answer,
    LenientToolParser,
    Request,
    ToolParserManager,
    assemble,
    load_plugin,
    messages,
    structural_tags,
)

PLUGIN = load_plugin()
OLD = load_plugin("0.9.2")
CALL = '<tools>{"name": "f", "arguments": {"a": 1}}</tools>'
HALF = CALL.index("1}")
OURS = re.compile(r"chatcmpl-tool-[0-9a-f]{32}")
END = 7


class Tokenizer:
    eos_token_id = END

    def get_vocab(self) -> dict[str, int]:
        return {"<|im_end|>": END, "<|endoftext|>": END + 1}


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


def old_stream(parser: Any, *deltas: tuple[str, tuple[int, ...]], request: Any = None) -> list[Any]:
    before, sent = "", []
    for text, ids in deltas:
        sent.append(delta(parser, text, before=before, ids=ids, request=request))
        before += text
    return sent


def responses_request(**more: Any) -> Any:
    return SimpleNamespace(**{"tools": [SimpleNamespace(name="f")], "tool_choice": "auto", **more})


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


def test_the_engine_passes_only_what_is_new_where_the_parser_reads_every_call() -> None:
    """Where the tag is switched off, vLLM reads required and named calls itself and needs the text so far."""
    lenient = load_plugin(base_class=LenientToolParser)
    assert PLUGIN.QwenToolParser.engine_based_streaming is True
    assert lenient.QwenToolParser.engine_based_streaming is False
    sent = old_stream(lenient.QwenToolParser(Tokenizer()), (f"{CALL} a <to", (1,)), ("", (END,)))
    assert assemble(sent) == Answer(" a <to", [("f", {"a": 1})])


def test_the_tag_is_registered_where_there_is_a_registry() -> None:
    assert PLUGIN.QwenToolParser.structural_tag_model in structural_tags
    assert OLD.STRUCTURAL_TAG is None


@pytest.mark.parametrize("plugin", [PLUGIN, OLD])
def test_vllm_finds_the_calls_where_it_looks_and_nothing_to_add(plugin: Any) -> None:
    parser = plugin.QwenToolParser(Tokenizer())
    delta(parser, CALL + CALL[:-10])
    assert parser.prev_tool_call_arr == [{"name": "f", "arguments": '{"a": 1}'}, {"name": "f", "arguments": ""}]
    assert parser.streamed_args_for_tool == ['{"a": 1}', ""]
    assert (parser.current_tool_id, parser.current_tool_name_sent) == (1, True)
    assert parser.get_remaining_unstreamed_args() == ""


def test_tools_of_the_responses_api_are_known_by_name() -> None:
    assert PLUGIN.QwenToolParser(None).extract_tool_calls(CALL[7:-8], responses_request()).tools_called


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


def wanting(**more: Any) -> Any:
    """A chat completion's request with more in it."""
    return SimpleNamespace(**{**vars(Request()), **more})


def test_an_ignored_end_token_is_no_end() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    assert not delta(parser, CALL[:5], ids=(END,), request=wanting(ignore_eos=True)).content


@pytest.mark.parametrize(
    ("ids", "request_"),
    [
        pytest.param((END + 1,), wanting(), id="the model's other end token"),
        pytest.param((3,), wanting(stop_token_ids=[3]), id="a stop token of the request"),
        pytest.param((1,), wanting(max_tokens=1), id="the token limit"),
        pytest.param((1,), wanting(max_tokens=9, max_completion_tokens=1), id="the newer token limit"),
        pytest.param((1,), responses_request(max_output_tokens=1), id="the token limit of the Responses API"),
        pytest.param((END,), wanting(max_tokens=1, ignore_eos=True), id="the token limit, end tokens ignored"),
    ],
)
def test_what_else_ends_the_answer(ids: tuple[int, ...], request_: Any) -> None:
    assert delta(OLD.QwenToolParser(Tokenizer()), "a <to", ids=ids, request=request_).content == "a <to"


def test_the_oldest_releases_never_get_none() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    assert delta(parser, "<tools").content == ""
    assert delta(parser, "", request=Request(tool_choice="none")).content == ""


def test_later_releases_get_none_where_there_is_nothing_to_say() -> None:
    assert delta(load_plugin("0.14.0").QwenToolParser(Tokenizer()), "<tools") is None


def interleaved(parser: Any, answers: list[list[str]]) -> list[Answer]:
    """All choices through one parser, their deltas in turn, as up to 0.19."""
    before = [""] * len(answers)
    sent: list[list[Any]] = [[] for _ in answers]
    for step in itertools.zip_longest(*answers):
        for choice, text in enumerate(step):
            if text is not None:
                sent[choice].append(delta(parser, text, before=before[choice]))
                before[choice] += text
    for choice, text in enumerate(before):
        sent[choice].append(delta(parser, "", before=text, ids=(END,)))
    return [assemble(messages) for messages in sent]


def test_choices_that_share_a_parser_do_not_mix() -> None:
    first, second = CALL.replace("1", "22"), f"Text. {CALL}"
    answers = [[*first], ["", *second], ["Nothing to call."], [*first]]
    assert interleaved(OLD.QwenToolParser(Tokenizer()), answers) == [
        Answer("", [("f", {"a": 22})]),
        Answer("Text. ", [("f", {"a": 1})]),
        Answer("Nothing to call.", []),
        Answer("", [("f", {"a": 22})]),
    ]


def test_a_choice_that_ends_leaves_another_that_has_said_the_same_alone() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    ended = [delta(parser, "a <to"), delta(parser, "", before="a <to", ids=(END,))]
    parser_of_both = OLD.QwenToolParser(Tokenizer())
    first = [delta(parser_of_both, "a <to")]
    second = [delta(parser_of_both, "a <to")]
    first.append(delta(parser_of_both, "", before="a <to", ids=(END,)))
    second.append(delta(parser_of_both, CALL[3:], before="a <to"))
    assert assemble(first) == assemble(ended) == Answer("a <to", [])
    assert assemble(second) == Answer("a ", [("f", {"a": 1})])


def test_a_delta_after_the_end_is_still_of_the_choice_that_called() -> None:
    """The finish_reason of those releases depends on what the parser shows then."""
    parser = OLD.QwenToolParser(Tokenizer())
    delta(parser, CALL, ids=(END,))
    delta(parser, "", before=CALL, ids=())
    assert parser.prev_tool_call_arr == [{"name": "f", "arguments": '{"a": 1}'}]


def test_an_empty_answer_leaves_nothing_to_the_next_choice() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    delta(parser, "", ids=(END,))
    bare = CALL[7:-8]
    assert assemble(old_stream(parser, (bare, (1,)), ("", (END,)))) == Answer("", [("f", {"a": 1})])


@pytest.mark.parametrize("plugin", [PLUGIN, OLD])
def test_one_call_only_where_the_request_says_so(plugin: Any) -> None:
    text = f"a {CALL} b {CALL} c"
    one = wanting(parallel_tool_calls=False, model_fields_set={"parallel_tool_calls"})
    unsaid = wanting(parallel_tool_calls=False, model_fields_set=set())
    for request, count in ((one, 1), (unsaid, 2)):
        assert len(plugin.QwenToolParser(Tokenizer()).extract_tool_calls(text, request).tool_calls) == count
        sent = [delta(plugin.QwenToolParser(Tokenizer()), text, request=request)]
        assert assemble(sent) == Answer("a  b  c", [("f", {"a": 1})] * count)


def things(message: Any) -> list[Any]:
    if message is None:
        return []
    calls = [(tool.index, tool.function.name, tool.function.arguments) for tool in message.tool_calls]
    return [*([message.content] if message.content else []), *calls]


def test_the_old_responses_api_gets_one_thing_at_a_time() -> None:
    parser = load_plugin("0.14.0").QwenToolParser(Tokenizer())
    deltas = (f"Text {CALL}", (1,)), ("", (1,)), (CALL, (1,)), ("", (1,)), ("", (1,)), ("", (1,)), ("", (END,))
    sent = old_stream(parser, *deltas, request=responses_request())
    assert [things(message) for message in sent] == [
        ["Text "],
        [(0, "f", "")],
        [(0, None, '{"a": 1}')],
        [(1, "f", "")],
        [(1, None, '{"a": 1}')],
        [],
        [],
    ]


def test_the_last_delta_of_the_old_responses_api_carries_one_call_rather_than_text() -> None:
    parser = load_plugin("0.14.0").QwenToolParser(Tokenizer())
    [sent] = old_stream(parser, (f"Text {CALL}{CALL}", (END,)), request=responses_request())
    assert things(sent) == [(0, "f", '{"a": 1}')]


def test_an_old_release_begins_anew_with_an_empty_past() -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    assemble(old_stream(parser, (CALL[:20], (1,))))
    assert assemble(old_stream(parser, (CALL, (1,)))) == Answer("", [("f", {"a": 1})])


def test_an_old_release_cannot_rewrite_the_last_delta() -> None:
    """It looks at the truth of `function`; the Responses API needs it true, later releases have no such code."""
    chat = delta(OLD.QwenToolParser(Tokenizer()), CALL).tool_calls[0].function
    assert not chat and chat.name == "f"
    assert delta(OLD.QwenToolParser(Tokenizer()), CALL, request=responses_request()).tool_calls[0].function
    assert delta(PLUGIN.QwenToolParser(Tokenizer()), CALL).tool_calls[0].function


def test_an_answer_of_the_old_responses_api_that_begins_with_a_call_has_arguments_beside_its_name() -> None:
    parser = load_plugin("0.14.0").QwenToolParser(Tokenizer())
    sent = old_stream(parser, (CALL, (1,)), (CALL, (1,)), ("", (1,)), ("", (END,)), request=responses_request())
    assert [things(message) for message in sent] == [
        [(0, "f", '{"a": 1}')],
        [(1, "f", "")],
        [(1, None, '{"a": 1}')],
        [],
    ]


def new_stream(*pieces: str) -> list[Any]:
    """The messages of vLLM >= 0.24 to a request of the Responses API, one for each piece and one for the end."""
    parser = PLUGIN.QwenToolParser(Tokenizer())
    return [*(delta(parser, piece, request=responses_request()) for piece in pieces), parser.finish_streaming()]


def test_text_after_a_call_waits_for_the_next_delta_of_the_new_responses_api() -> None:
    sent = new_stream(CALL[:HALF], CALL[HALF:] + " b " + CALL, "c")
    assert [things(message) for message in sent] == [
        [(0, "f", '{"a": ')],
        [(0, None, "1}")],
        [" b ", (1, "f", '{"a": 1}')],
        ["c"],
    ]


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        pytest.param(
            [CALL[:HALF], CALL[HALF:] + " b"], [], id="the last delta goes on with a call: vLLM would break off"
        ),
        pytest.param([CALL[:HALF], CALL[HALF:] + " b", ""], [], id="said already"),
        pytest.param([CALL + " b"], [" b"], id="the last delta begins its call"),
    ],
)
def test_text_after_a_call_at_the_end_of_the_new_responses_api(pieces: list[str], end: list[Any]) -> None:
    assert things(new_stream(*pieces)[-1]) == end


def test_equal_choices_that_come_in_other_deltas_do_not_mix_either() -> None:
    """One holds half a close tag after a call that lacks its last brace; its call must have been said all the same."""
    text = '<tools>{"name": "f", "arguments": {"a": 1}</tools>'
    half = text.index("</") + 2
    parser = OLD.QwenToolParser(Tokenizer())
    first = old_stream(parser, *((character, (1,)) for character in text[:half]))
    second = [delta(parser, text[:half])]
    second.append(delta(parser, text[half:], before=text[:half], ids=(END,)))
    first.append(delta(parser, text[half:], before=text[:half], ids=(END,)))
    assert assemble(first) == assemble(second) == Answer("", [("f", {"a": 1})])


@pytest.mark.parametrize(("stop", "content"), [([], ""), (["END"], CALL[7:-8])])
def test_an_answer_without_tags_is_not_held_where_a_stop_string_may_end_it_unseen(
    stop: list[str], content: str
) -> None:
    parser = OLD.QwenToolParser(Tokenizer())
    assert delta(parser, CALL[7:-8], request=wanting(stop=stop)).content == content
    assert PLUGIN.QwenToolParser(None).extract_tool_calls(CALL[7:-8], wanting(stop=stop)).tools_called
