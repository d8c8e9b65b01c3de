# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Every case of both collections, whole and in many ways of cutting the stream."""

from __future__ import annotations

from typing import Any

import pytest
from cases import given_cases, own_cases
from standin import Answer, cut, cut_at_random, load_plugin, streamed, whole

PLUGIN = load_plugin()
SIZES = (1, 2, 3, 5, 7, 16)
SEEDS = range(20)

F = '{"name": "f", "arguments": {"a": 1}}'


def cuts(text: str) -> list[list[str]]:
    return [[text], *(cut(text, size) for size in SIZES), *(cut_at_random(text, seed) for seed in SEEDS)]


@pytest.mark.parametrize("case", given_cases() + own_cases(), ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    """A whole answer has a broken call as text; a stream has an unfinished call and the text around it."""
    output = case["model_output"]
    calls = [(call["name"], call["arguments"]) for call in case["expected_calls"]]
    in_one = (case["expected_content"].strip(), calls)
    assert whole(PLUGIN, output).stripped() == in_one
    for pieces in cuts(output):
        answer = streamed(PLUGIN, pieces)
        if answer.unfinished:
            assert answer.stripped() == (case["streamed_content"], calls)
            [(name, arguments)] = answer.unfinished
            # How much of the piece that broke it was sent is of no importance.
            assert name == "f" and case["unfinished"].startswith(arguments)
        else:
            assert answer.stripped() == in_one
    in_characters = [arguments for _, arguments in streamed(PLUGIN, list(output)).unfinished]
    assert in_characters == ([case["unfinished"]] if "unfinished" in case else [])


def test_the_cases_are_many_and_differ() -> None:
    cases = given_cases() + own_cases()
    assert (len(given_cases()), len(own_cases()) >= 150) == (40, True)
    assert all(len({case[key] for case in cases}) == len(cases) for key in ("name", "model_output"))


def test_a_call_that_breaks_in_its_first_piece_is_text() -> None:
    text = '<tools>{"name": "f", "arguments": {"a": oops}}</tools>'
    assert streamed(PLUGIN, [text]) == Answer(text, [])


def test_without_offered_tools_only_tags_make_calls() -> None:
    plain = type("NoTools", (), {"tools": None, "messages": ()})()
    for request in (plain, None):
        parser = PLUGIN.QwenToolParser(None)
        assert not parser.extract_tool_calls(F, request).tools_called
        assert parser.extract_tool_calls(f"<tools>{F}</tools>", request).tools_called


NOT_JSON = r"""{"a":}
{"a"}
{"a" 1}
{"a": 1,}
{,}
{"a": [1,]}
{"a": [1}
{"a": 1]
{"a": {}]}
{a: 1}
{"a": tru}
{"a": NaN}
{"a": +1}
{"a": 1.}
{"a": 01}
{"a": "\x"}
{"a": "\u12g4"}
{"a": 1 2}"""
# json.loads has limits of its own, and vLLM reads the arguments back with the next request.
TOO_MUCH = ['{"a": ' + "[" * 300 + "]" * 300 + "}", '{"a": ' + "1" * 500 + "}"]


@pytest.mark.parametrize("value", [*NOT_JSON.splitlines(), *TOO_MUCH])
def test_arguments_are_strict_json(value: str) -> None:
    text = f'<tools>{{"name": "f", "arguments": {value}}}</tools>'
    assert whole(PLUGIN, text) == Answer(text, [])
    assert streamed(PLUGIN, list(text)).calls == []


def test_nesting_may_be_deep() -> None:
    value = '{"a": ' + "[" * 200 + "]" * 200 + "}"
    assert len(whole(PLUGIN, f'<tools>{{"name": "f", "arguments": {value}}}</tools>').calls) == 1


def test_spaces_around_calls_are_no_content() -> None:
    text = f"<tools>{F}</tools>\n\n<tool_call>\n{F}\n</tool_call>\n"
    assert whole(PLUGIN, text).content == ""
    assert streamed(PLUGIN, list(text)).content == ""
