# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Every case of the corpus and of this file, whole and in many ways of cutting the stream."""

from __future__ import annotations

from typing import Any

import pytest
from standin import Answer, cases, cut, cut_at_random, load_plugin, streamed, whole

PLUGIN = load_plugin()
SIZES = (1, 2, 3, 5, 7, 16)
SEEDS = range(20)

F = '{"name": "f", "arguments": {"a": 1}}'
CALL = ("f", {"a": 1})
SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}}}'

# output, expected content, expected calls
OWN_CASES: dict[str, tuple[str, str, list[tuple[str, Any]]]] = {
    "fence inside the tags": (f"<tools>\n```json\n{F}\n```\n</tools>", "", [CALL]),
    "fence without a language": (f"<tools>```{F}```</tools>", "", [CALL]),
    "tags inside tags": (f"<tool_call>\n<tools>\n{F}\n</tools>\n</tool_call> done", "done", [CALL]),
    "a second opener instead of the close tag": (f"<tools>{F}<tools>{F}</tools>", "", [CALL, CALL]),
    "text after a missing close tag": (f"<tools>{F}\n\nThat is it.", "That is it.", [CALL]),
    "text between blocks keeps its spaces": (
        f"a <tools>{F}</tools>\n b\n<tools>{F}</tools> c",
        "a \n b\n c",
        [CALL, CALL],
    ),
    "text between objects of a block": (f"<tools>{F} and {F}</tools>", "and", [CALL, CALL]),
    "one brace too many": (f"<tools>{F}}}</tools>", "}", [CALL]),
    "bad object before a good one": (f'<tools>[{{"name": x}}, {F}]</tools>', '<tools>[{"name": x}', [CALL]),
    "bad object after a good one": (f'<tools>[{F}, {{"name": x}}]</tools>', ', {"name": x}]', [CALL]),
    "bad object with quotes and brackets": (
        f'<tools>{{"name": f("}}")}} {F}</tools>',
        '<tools>{"name": f("}")}',
        [CALL],
    ),
    "a block swallowed by an open string": (
        f'<tools>{{"name": "f", "no": "b}}</tools>\nthen\n<tools>{F}</tools>',
        '<tools>{"name": "f", "no": "b}</tools>\nthen',
        [CALL],
    ),
    "quoted block inside a string": (
        '<tools>{"name": "f", "arguments": {"doc": "<tools>{\\"name\\": \\"g\\"}</tools>"}}</tools>',
        "",
        [("f", {"doc": '<tools>{"name": "g"}</tools>'})],
    ),
    "arguments null": ('<tools>{"name": "f", "arguments": null}</tools>', "", [("f", {})]),
    "arguments an empty string": ('<tools>{"name": "f", "arguments": ""}</tools>', "", [("f", {})]),
    "arguments an encoded array": (
        '<tools>{"name": "f", "arguments": "[1]"}</tools>',
        '<tools>{"name": "f", "arguments": "[1]"}</tools>',
        [],
    ),
    "encoded arguments with spaces around": (
        '<tools>{"name": "f", "arguments": "\\n{\\"a\\": 1} "}</tools>',
        "",
        [CALL],
    ),
    "encoded arguments with escapes in escapes": (
        r'<tools>{"name": "f", "arguments": "{\"a\": \"\\\"\\u00e9\ud83d\ude00\\n\"}"}</tools>',
        "",
        [("f", {"a": '"é\U0001f600\n'})],
    ),
    "surrogate pair": (
        r'<tools>{"name": "f", "arguments": {"a": "\ud83d\ude00"}}</tools>',
        "",
        [("f", {"a": "\U0001f600"})],
    ),
    "no name but a schema for a name": ('<tools>{"name": {}, "arguments": {}}</tools>',) * 2 + ([],),
    "empty name": ('<tools>{"name": "", "arguments": {}}</tools>',) * 2 + ([],),
    "name that cannot be encoded": (r'<tools>{"name": "\ud83d", "arguments": {}}</tools>',) * 2 + ([],),
    "other keys but no arguments": ('<tools>{"name": "Bob", "age": 3}</tools>',) * 2 + ([],),
    "id but no arguments": ('<tools>{"id": "1", "name": "f"}</tools>', "", [("f", {})]),
    "nested shape with keys around": (
        '<tools>{"id": "1", "function": {"arguments": {"a": 1}, "name": "f"}, "type": "function"}</tools>',
        "",
        [CALL],
    ),
    "nested shape without its braces": ('<tools>{"function": {"name": "f", "arguments": {"a": 1}</tools>', "", [CALL]),
    "definition without a description": (f'<tools>{{"name": "f", "parameters": {SCHEMA}}}</tools>',) * 2 + ([],),
    "definition with its keys the other way round": (
        f'<tools>{{"parameters": {SCHEMA}, "description": "d", "name": "f"}}</tools>',
    )
    * 2
    + ([],),
    "several definitions": (
        f'<tools>\n{{"name": "f", "parameters": {SCHEMA}}}\n{{"name": "g", "description": ""}}\n</tools>',
    )
    * 2
    + ([],),
    "parameters that begin like a schema": (
        '<tools>{"name": "f", "parameters": {"title": "t", "body": "b"}}</tools>',
        "",
        [("f", {"title": "t", "body": "b"})],
    ),
    "parameters with a type among them": (
        '<tools>{"name": "f", "parameters": {"x": 1, "type": "object"}}</tools>',
        "",
        [("f", {"x": 1, "type": "object"})],
    ),
    "a schema as arguments": (
        f'<tools>{{"name": "f", "arguments": {SCHEMA}}}</tools>',
        "",
        [("f", {"type": "object", "properties": {"a": {"type": "string"}}})],
    ),
    "array of numbers": ("<tools>[1, 2]</tools>",) * 2 + ([],),
    "empty block": ("<tools>[]</tools>",) * 2 + ([],),
    "special token without a call": ("Hello<|im_end|>",) * 2 + ([],),
    "special token between calls": (f"<tools>{F}</tools><|im_end|>\n<tools>{F}</tools><|endoftext|>", "", [CALL, CALL]),
    "close tag without an open one": ("text </tools> text",) * 2 + ([],),
    "less-than signs": ("if a<b and <toolsmith> or <tool_calls>: <",) * 2 + ([],),
    "bare calls in a row": (f"{F}\n{F}\n", "", [CALL, CALL]),
    "bare array": (f"[{F}, {F}]", "", [CALL, CALL]),
    "bare call whose open tag is missing": (f"{F}\n</tool_call>", "", [CALL]),
    "bare call with more text": (f"{F}\nThat is the call.",) * 2 + ([],),
    "bare call cut off": ('{"name": "f", "arguments": {"a": 1}',) * 2 + ([],),
    "bare call without its brace": ('{"name": "f", "arguments": {"a": 1}\n</tools>',) * 2 + ([],),
    "bare definition": (f'{{"name": "f", "parameters": {SCHEMA}}}',) * 2 + ([],),
    "bare JSON with a call in tags after it": (f'{{"result": 1}} <tools>{F}</tools>', '{"result": 1}', [CALL]),
    "fence that is no JSON": ("```python\nprint(1)\n```",) * 2 + ([],),
    "fence and nothing else": ("```json",) * 2 + ([],),
    "fenced call with text after it": (f"```json\n{F}\n```\nThis is how.",) * 2 + ([],),
    "footnote": ("[1] A source",) * 2 + ([],),
    "number that is none": ('<tools>{"name": "f", "arguments": 01}</tools>',) * 2 + ([],),
    "all kinds of values": (
        '<tools>{"name": "f", "arguments": {"a": [1, -2.5e+3, true, false, null, {}, []], "b": {"c": ""}}}</tools>',
        "",
        [("f", {"a": [1, -2500.0, True, False, None, {}, []], "b": {"c": ""}})],
    ),
    "definition with a description only": ('<tools>{"name": "f", "description": "d", "parameters": {}}</tools>',) * 2
    + ([],),
}

# What breaks after its arguments began to stream: output, streamed content, streamed calls, the unfinished call.
# A whole answer has the output as text.
BROKEN_CASES: dict[str, tuple[str, str, list[tuple[str, Any]], str]] = {
    "cut off": ('Now: <tools>{"name": "f", "arguments": {"text": "hello wor', "Now:", [], '{"text": "hello wor'),
    "cut off between the braces": ('<tools>{"name": "f", "arguments": {"a": 1}', "", [], '{"a": 1'),
    "quotes not escaped": (
        '<tools>{"name": "f", "arguments": {"code": "print("hi")"}}</tools>\nDone.',
        "Done.",
        [],
        '{"code": "print("',
    ),
    "escape that JSON has not": (
        '<tools>{"name": "f", "arguments": {"re": "a\\d"}}</tools> Done.',
        "Done.",
        [],
        '{"re": "a',
    ),
    "number that is none": ('<tools>{"name": "f", "arguments": {"a": 0x1}}</tools>', "", [], '{"a": '),
    "text in the block after it": (
        '<tools>{"name": "f", "arguments": {"a": "b" c}}\n\nWell, that failed. </tools> Sorry.',
        "Well, that failed.  Sorry.",
        [],
        '{"a": "b" ',
    ),
    "good neighbours": (
        f'<tools>{F}</tools><tools>{{"name": "f", "arguments": {{"a": "b" "c"}}}}</tools><tools>{F}</tools>',
        "",
        [CALL, CALL],
        '{"a": "b" ',
    ),
    "swallowed neighbour": (
        f'<tools>{{"name": "f", "arguments": {{"a": "b}}</tools>\n<tools>{F}</tools>',
        "",
        [CALL],
        '{"a": "b}</tools>\\n<tools>{"',
    ),
    "no close tag after the missing brace": (
        '<tools>{"name": "f", "arguments": {"a": 1} <b>',
        "",
        [],
        '{"a": 1',
    ),
    "swallowed neighbour with text before it": (
        f'<tools>{{"name": "f", "arguments": {{"a": "b}}}}</tools>\nthen\n<tools>{F}</tools>',
        "then",
        [CALL],
        '{"a": "b}}</tools>\\nthen\\n<tools>{"',
    ),
    "braces in the strings after the fault": (
        '<tools>{"name": "f", "arguments": {"a": "b" "}} no text"}}</tools> Text',
        "Text",
        [],
        '{"a": "b" ',
    ),
    "quotes in the strings after the fault": (
        r'<tools>{"name": "f", "arguments": {"a": "b" "\"}} no text"}}</tools> Text',
        "Text",
        [],
        '{"a": "b" ',
    ),
    "braces in the string of the fault": (
        r'<tools>{"name": "f", "arguments": {"re": "a\d}} no text"}}</tools> Text',
        "Text",
        [],
        '{"re": "a',
    ),
    "encoded arguments that go on": (
        '<tools>{"name": "f", "arguments": "{\\"a\\": 1} and"}</tools>',
        "",
        [],
        '{"a": 1',
    ),
}


def cuts(text: str) -> list[list[str]]:
    return [[text], *(cut(text, size) for size in SIZES), *(cut_at_random(text, seed) for seed in SEEDS)]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_corpus(case: dict[str, Any]) -> None:
    text = case["model_output"]
    calls = [(call["name"], call["arguments"]) for call in case["expected_calls"]]
    expected = ((case["expected_content"] or "").strip(), calls)
    assert whole(PLUGIN, text).stripped() == expected
    for pieces in cuts(text):
        answer = streamed(PLUGIN, pieces)
        if case["name"] == "truncated_mid_args":
            assert answer == Answer("", [], [("f", '{"text": "hello wor')]) or answer.stripped() == expected
        else:
            assert (answer.stripped(), answer.unfinished) == (expected, [])


@pytest.mark.parametrize("name", OWN_CASES)
def test_own_cases(name: str) -> None:
    text, content, calls = OWN_CASES[name]
    assert whole(PLUGIN, text).stripped() == (content.strip(), calls)
    for pieces in cuts(text):
        answer = streamed(PLUGIN, pieces)
        assert (answer.stripped(), answer.unfinished) == ((content.strip(), calls), [])


@pytest.mark.parametrize("name", BROKEN_CASES)
def test_the_permitted_difference(name: str) -> None:
    """A whole answer has a broken call as text; a stream has an unfinished call and the text around it."""
    text, content, calls, arguments = BROKEN_CASES[name]
    answer = whole(PLUGIN, text)
    assert answer.calls == calls
    assert '"f", "arguments": ' in answer.content
    if not calls:
        assert answer.content == text
    assert streamed(PLUGIN, cut(text, 1)).unfinished == [("f", arguments)]
    for size in SIZES[:4]:
        answer = streamed(PLUGIN, cut(text, size))
        assert answer.stripped() == (content, calls)
        # How much of the piece that broke it was sent is of no importance.
        assert [arguments.startswith(sent) for _, sent in answer.unfinished] == [True]


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
