# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What holds for any output and any way of cutting it."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from standin import assemble, cases, load_plugin, messages, streamed, whole

PLUGIN = load_plugin()
FEW = settings(deadline=None, max_examples=100)
MANY = settings(deadline=None, max_examples=400)

JSON_STRINGS = st.text(max_size=12) | st.sampled_from(["</tools>", "<tools>{", '"}', "\\", "```", "\n", "\ud83d"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_STRINGS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(JSON_STRINGS, JSON_VALUES, max_size=3)
NAMES = st.sampled_from(["f", "get_weather", "not_offered", "naïve"])
PROSE = st.text(alphabet=st.characters(exclude_characters="<{[`", exclude_categories=["Cs"]), max_size=20)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, tuple[str, Any]]:
    """A call as a model may write it, and what it says."""
    name, arguments = draw(NAMES), draw(ARGUMENTS)
    ascii_only = draw(st.booleans()) or "\\ud" in json.dumps(arguments)
    value = json.dumps(arguments, ensure_ascii=ascii_only, indent=draw(st.sampled_from([None, 1])))
    if draw(st.booleans()):
        value = json.dumps(value, ensure_ascii=ascii_only)
    key = draw(st.sampled_from(["arguments", "arguments", "parameters"]))
    if key == "parameters" and ("type" in arguments or "properties" in arguments):
        key = "arguments"
    members = draw(st.permutations([f'"name": {json.dumps(name)}', f'"{key}": {value}', '"id": "call_1"']))
    text = "{" + ", ".join(members) + "}"
    if draw(st.booleans()):
        text = f'{{"type": "function", "function": {text}}}'
    return text, (name, arguments)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[str, list[tuple[str, Any]]]:
    texts, meanings = zip(*draw(st.lists(calls(), min_size=1, max_size=3)), strict=True)
    separator = draw(st.sampled_from(["\n", ", ", "", "\n\n"]))
    body = separator.join(texts)
    if draw(st.booleans()):
        body = f"[{body}]"
    opening, closing = draw(st.sampled_from(PLUGIN.OPEN_TAGS)), draw(st.sampled_from(PLUGIN.CLOSE_TAGS))
    space = draw(st.sampled_from(["", "\n"]))
    return f"{opening}{space}{body}{space}{closing}", list(meanings)


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, Any]]]:
    """Text with blocks in it, the text alone, the calls alone."""
    output = content = draw(PROSE)
    all_calls: list[tuple[str, Any]] = []
    for text, meanings in draw(st.lists(blocks(), max_size=3)):
        prose = draw(PROSE)
        output += text + prose
        content += prose
        all_calls += meanings
    return output, content, all_calls


FRAGMENT_LINES = r"""```json
```
{
}
[
]
,
:
"
\
<
</
<to
\u00e9
\ud83d
null
1
text
"name"
"f"
"arguments"
"parameters"
"function"
"description"
"type"
"object"
{"name": "f", "arguments": {"a": 1}}
<tools>{"name": "f", "arguments": {"a": "
<tools>{"name": "f", "parameters": {"title": "
"""
FRAGMENTS = st.sampled_from(
    [*PLUGIN.OPEN_TAGS, *PLUGIN.CLOSE_TAGS, *PLUGIN.END_TOKENS, " ", "\n", *FRAGMENT_LINES.splitlines()]
)
SHORT_CASES = [case["model_output"] for case in cases() if len(case["model_output"]) < 500]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Anything: fragments, or good output with something taken out, put in or cut off."""
    if draw(st.booleans()):
        return "".join(draw(st.lists(FRAGMENTS, max_size=12)))
    text = "\n".join(draw(st.lists(st.sampled_from(SHORT_CASES) | calls().map(lambda call: call[0]), max_size=2)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(FRAGMENTS | st.just("")) + text[start + draw(st.integers(0, 3)) :]
    return text


@st.composite
def pieces_of(draw: st.DrawFn, text: str) -> list[str]:
    size = draw(st.integers(0, 8))
    if size:
        return [text[start : start + size] for start in range(0, len(text), size)]
    ends = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in itertools.pairwise([0, *ends, len(text)])]


@FEW
@given(st.data(), answers())
def test_any_answer_gives_its_calls_and_its_text_however_it_is_cut(
    data: st.DataObject, answer: tuple[str, str, list[tuple[str, Any]]]
) -> None:
    output, content, expected = answer
    assert whole(PLUGIN, output).stripped() == (content.strip(), expected)
    result = streamed(PLUGIN, data.draw(pieces_of(output)))
    assert (result.stripped(), result.unfinished) == ((content.strip(), expected), [])


@MANY
@given(st.data(), damaged())
def test_a_stream_differs_from_the_whole_only_by_unfinished_calls(data: st.DataObject, output: str) -> None:
    in_one = whole(PLUGIN, output)
    result = streamed(PLUGIN, data.draw(pieces_of(output)))
    assert result.calls == in_one.calls
    if result.unfinished:
        assert len(result.content.strip()) < len(in_one.content)
    else:
        assert result.content.strip() == in_one.content.strip()


@FEW
@given(damaged())
def test_without_a_call_no_character_is_lost(output: str) -> None:
    answer = whole(PLUGIN, output)
    if not answer.calls:
        assert answer.content == output


@FEW
@given(st.data(), damaged())
def test_what_is_sent_can_be_encoded_and_every_call_begins_properly(data: st.DataObject, output: str) -> None:
    sent = messages(PLUGIN, data.draw(pieces_of(output)))
    assemble(sent)
    for message in sent:
        for delta in message.tool_calls if message else []:
            assert delta.function is not None
            f"{delta.function.name}{delta.function.arguments}".encode()


@FEW
@given(st.data(), st.text(alphabet=st.characters(exclude_characters="<", exclude_categories=["Cs"]), max_size=60))
def test_text_without_tags_is_never_held(data: st.DataObject, text: str) -> None:
    scanner = PLUGIN.ToolCallScanner()
    for piece in data.draw(pieces_of(text)):
        assert "".join(event.text for event in scanner.feed(piece)) == piece
    assert scanner.finish() == []


@FEW
@given(st.data(), st.text(alphabet="<tols_cal>/ x\n"))
def test_text_is_held_no_longer_than_a_tag_may_begin(data: st.DataObject, text: str) -> None:
    scanner = PLUGIN.ToolCallScanner()
    sent = given_text = ""
    for piece in data.draw(pieces_of(text)):
        given_text += piece
        sent += "".join(event.text for event in scanner.feed(piece))
        held = given_text.removeprefix(sent)
        assert given_text == sent + held
        for tag in PLUGIN.OPEN_TAGS:  # after whole tags, more tags and spaces leave it open
            held = held.replace(tag, "")
        assert any(tag.startswith(held.strip()) for tag in PLUGIN.OPEN_TAGS)
    assert sent + "".join(event.text for event in scanner.finish()) == text


@FEW
@given(ARGUMENTS, NAMES)
def test_argument_deltas_add_up_to_one_object_and_every_beginning_is_valid(
    arguments: dict[str, Any], name: str
) -> None:
    call = json.dumps({"name": name, "arguments": arguments})
    text = ""
    for message in messages(PLUGIN, list(f"<tool_call>{call}</tool_call>")):
        for delta in message.tool_calls if message else []:
            assert delta.function is not None
            text += delta.function.arguments or ""
            assert json.dumps(arguments).startswith(text)
    assert json.loads(text) == arguments
