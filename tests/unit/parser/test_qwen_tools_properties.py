# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What holds for any output and any way of cutting it. `make fuzz` checks the same on many more."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import outputs
from hypothesis import given
from hypothesis import strategies as st
from invariants import check_cut, check_whole, read
from outputs import Output
from standin import load_plugin
from strategies import ARGUMENTS, FEW, MANY, RANDOMS, SOME_TEXT

PLUGIN = load_plugin()


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
