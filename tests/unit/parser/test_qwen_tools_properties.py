# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What holds for any output and any way of cutting it. `make fuzz` checks the same on many more."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import outputs
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import check_cut, check_whole, read
from outputs import Output
from standin import load_plugin

PLUGIN = load_plugin()
FEW = settings(deadline=None, max_examples=100)
MANY = settings(deadline=None, max_examples=400)

RANDOMS = st.randoms(use_true_random=False)
SOME_TEXT = st.text() | st.text(alphabet='<tols_ca/>{}[]",:`\\ \nname"arguments')
JSON_STRINGS = st.text(max_size=12) | st.sampled_from(["</tools>", "<tools>{", '"}', "\\", "```", "\n", "\ud83d"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_STRINGS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(JSON_STRINGS, JSON_VALUES, max_size=3)


def check(random: Random, output: Output) -> None:
    check_cut(PLUGIN, output, check_whole(PLUGIN, output), outputs.cuts(random, output.text))


@MANY
@given(RANDOMS)
def test_any_output_of_a_model(random: Random) -> None:
    check(random, outputs.output(random))


@FEW
@given(RANDOMS, SOME_TEXT)
def test_any_text(random: Random, text: str) -> None:
    check(random, Output(text))


@FEW
@given(RANDOMS, ARGUMENTS, st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_arguments(random: Random, arguments: dict[str, Any], name: str) -> None:
    call = json.dumps({"name": name, "arguments": arguments})
    output = Output(f"<tool_call>{call}</tool_call>", "", [(name, arguments)])
    check(random, output)
    assert read(PLUGIN, list(output.text)).calls == [(name, json.dumps(arguments))]


@FEW
@given(RANDOMS, st.text(alphabet=st.characters(exclude_characters="<", exclude_categories=["Cs"]), max_size=60))
def test_text_without_tags_is_never_held(random: Random, text: str) -> None:
    scanner = PLUGIN.ToolCallScanner()
    for piece in outputs.cuts(random, text):
        assert "".join(event.text for event in scanner.feed(piece)) == piece
    assert scanner.finish() == []


@FEW
@given(RANDOMS, st.text(alphabet="<tols_cal>/ x\n"))
def test_text_is_held_no_longer_than_a_tag_may_begin(random: Random, text: str) -> None:
    scanner = PLUGIN.ToolCallScanner()
    sent = given_text = ""
    for piece in outputs.cuts(random, text):
        given_text += piece
        sent += "".join(event.text for event in scanner.feed(piece))
        held = given_text.removeprefix(sent)
        assert given_text == sent + held
        for tag in PLUGIN.OPEN_TAGS:  # after whole tags, more tags and spaces leave it open
            held = held.replace(tag, "")
        assert any(tag.startswith(held.strip()) for tag in PLUGIN.OPEN_TAGS)
    assert sent + "".join(event.text for event in scanner.finish()) == text
