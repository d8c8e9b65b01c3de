# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The definitions of speed, on streams whose times are given."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.completion import Completion
from ansible_collections.toolserve.gpunode.plugins.module_utils.random_prompt import PromptWriter
from hypothesis import given
from hypothesis import strategies as st


def completion(arrivals: list[float], tokens: Any, prompt: Any = 100) -> Completion:
    """As read from chunks that came at these times; usage comes last, in a chunk without choices."""
    made = Completion()
    for arrival in arrivals:
        made.add({"choices": [{"index": 0, "text": "", "finish_reason": None}], "usage": None}, arrival)
    made.add({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": tokens}}, arrivals[-1] + 5)
    return made


def test_the_figures_of_a_stream() -> None:
    made = completion([0.5, 0.6, 0.7, 0.8, 1.5], 11)
    assert made.ttft == 0.5
    assert made.decode_seconds == 1.0  # neither the first token nor the chunk with the usage counts
    assert made.decode_tokens_per_second == pytest.approx(10)  # 11 tokens in 5 chunks
    assert made.inter_token_latency == pytest.approx(0.1)
    assert made.longest_gap == pytest.approx(0.7)
    assert made.mean_context == 105.5
    assert made.tokens_per_arrival == pytest.approx(2.2)


def test_chunks_that_came_together_are_one_arrival() -> None:
    assert completion([0.5, 0.50001, 0.50002, 0.50003], 4).tokens_per_arrival == 4


@pytest.mark.parametrize(("arrivals", "tokens"), [([0.5], 1), ([0.5], 20), ([0.5, 0.5], 20), ([0.5, 0.6], None)])
def test_what_cannot_be_measured(arrivals: list[float], tokens: int | None) -> None:
    assert not completion(arrivals, tokens).measured


@pytest.mark.parametrize("tokens", [True, "12", 1.5, None])
def test_a_count_that_is_none(tokens: Any) -> None:
    assert completion([0.5, 0.6], tokens).completion_tokens is None


def test_a_chunk_that_is_none() -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        Completion().add([1], 0.0)
    made = Completion()
    made.add({"choices": None}, 0.1)
    made.add({}, 0.2)
    assert made.arrivals == []


@given(st.floats(0.001, 5), st.floats(0.0005, 1), st.integers(2, 500), st.integers(1, 7))
def test_an_even_stream_shows_its_pace_however_it_is_cut(first: float, pace: float, tokens: int, chunk: int) -> None:
    ends = [*range(1, tokens, chunk), tokens] if tokens > 1 else [1]
    made = completion([first + (end - 1) * pace for end in ends], tokens)
    assert made.decode_tokens_per_second == pytest.approx(1 / pace, rel=1e-6)
    assert made.ttft == first


@given(st.integers(20, 4000), st.floats(0.8, 12))
def test_a_prompt_gets_its_length_once_the_tokenizer_is_known(wanted: int, characters: float) -> None:
    writer = PromptWriter()
    first = writer.write(wanted)
    writer.learn(first, max(int(len(first) / characters), 1))
    learnt = len(first) / max(int(len(first) / characters), 1)
    assert len(writer.write(wanted)) / learnt == pytest.approx(wanted, abs=2 + 16 / learnt)


def test_prompts_do_not_begin_alike() -> None:
    writer = PromptWriter()
    assert len({writer.write(64)[:16] for _ in range(100)}) == 100
