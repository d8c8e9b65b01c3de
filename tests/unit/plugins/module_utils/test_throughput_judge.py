# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verdicts on measurements whose times are given, where a running server would be too inexact."""

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import throughput_report as report
from ansible_collections.toolserve.gpunode.plugins.module_utils.completion import Completion
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState
from ansible_collections.toolserve.gpunode.plugins.module_utils.roofline import STEP_OVERHEAD, Roofline
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_load import Load
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import KvCache
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_judge import (
    Bandwidth,
    Judgement,
    Limits,
    judge,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Options, Outcome
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import TokenCost
from hypothesis import given
from hypothesis import strategies as st

TOKENS = 256
PROMPT = 1920  # a mean context of 2048
# The reference node: Qwen2.5-14B-Instruct-AWQ on an RTX 4000 SFF Ada.
COST = TokenCost(8.42e9, "profile", KvCache(196_608), "profile")
CARD = Bandwidth(280e9, "data sheet")


def outcome(*speeds: float) -> Outcome:
    """Runs at these tokens per second, on a server that was idle and counted right."""
    runs = [Completion([1 + number / speed for number in range(TOKENS)], PROMPT, TOKENS, "length") for speed in speeds]
    made = Outcome(EndpointState("http://127.0.0.1:8000/v1", True, True, "0.32.0"), Options(), "qwen", runs)
    made.before = Load(0, 0, 0, 0, 0, 0, 0)
    made.after = Load(0, 0, PROMPT * len(runs), TOKENS * len(runs), 0, 0, 0)
    return made


def judged(*speeds: float, cost: TokenCost | None = COST, limits: Limits | None = None) -> Judgement:
    return judge(outcome(*speeds), cost, CARD, limits or Limits())


@pytest.mark.parametrize(
    ("speed", "verdict"),
    [
        (3.2, "fail"),
        (11.0, "fail"),
        (11.2, "warn"),
        (17.4, "warn"),
        (17.6, "pass"),
        (31.7, "pass"),
        (32.0, "inconclusive"),
    ],
)
def test_the_reference_node(speed: float, verdict: str) -> None:
    made = judged(speed)
    assert made.verdict == verdict
    assert made.roofline is not None and made.roofline.tokens_per_second == pytest.approx(31.8, abs=0.1)
    assert made.efficiency == pytest.approx(speed / 31.74, rel=0.002)
    assert bool(made.causes) == (verdict != "pass")


def test_the_median_counts() -> None:
    assert judged(3, 20, 21).verdict == "pass" and judged(3, 4, 21).verdict == "fail"


def test_one_burst_of_three_is_this_machine_and_more_are_a_proxy() -> None:
    assert judged(20.0, 20.0, 1e6).verdict == "pass"
    made = judged(20.0, 1e6, 1e6)
    assert made.verdict == "inconclusive" and "in bursts" in made.causes[0].symptom


def test_limits_can_be_set() -> None:
    assert judged(20, limits=Limits(fail_below=0.7, warn_below=0.8)).verdict == "fail"
    assert judged(20, limits=Limits(minimum_tokens_per_second=25)).verdict == "fail"
    assert judged(3.2, limits=Limits(minimum_tokens_per_second=1)).verdict == "fail"


def test_why_a_small_model_has_no_roofline() -> None:
    small = TokenCost(1e6 * 280, "profile", KvCache(0.001), "profile")  # 1 ms a token
    made = judged(200, cost=small, limits=Limits(minimum_tokens_per_second=100))
    assert made.verdict == "pass" and made.roofline is not None and made.efficiency == pytest.approx(0.2, rel=0.01)
    assert "takes 1 ms" in made.basis and "2.5 ms of other work" in made.basis and "only 29%" in made.basis
    strict = judged(200, cost=small, limits=Limits(step_overhead=0.0005))
    assert strict.verdict == "fail"


def test_the_impossible_names_every_input() -> None:
    text = " ".join(judged(40).causes[0].as_dict().values())
    assert "280 GB/s (data sheet)" in text and "8.42 GB of weights (profile)" in text and "bytes_per_token" in text


@given(st.floats(1e9, 1e13), st.floats(1e6, 1e12), st.floats(0, 1e11))
def test_a_roofline_is_its_own_measure(bandwidth: float, weight: float, kv: float) -> None:
    roofline = Roofline(bandwidth, weight, kv)
    assert roofline.efficiency(roofline.tokens_per_second) == pytest.approx(1)
    assert roofline.healthy_efficiency(0) == 1 > roofline.healthy_efficiency(STEP_OVERHEAD) > 0


def test_the_report_for_people() -> None:
    told = report.build(measured := outcome(3.1, 3.2, 3.3), made := judge(measured, COST, CARD, Limits()))
    text = report.as_text(told)
    assert "decoding        3.2 tokens/s   median of 3 runs, 3.1 to 3.3" in text
    assert "roofline        31.7 tokens/s  280 GB/s by 8.42 GB of weights and 0.403 GB of KV cache" in text
    assert "efficiency      10%            at a context of 2048 tokens" in text
    assert text.endswith("Throughput: fail. 10% of what the memory allows (warn below 55%, fail below 35%).")
    assert made.causes[0].symptom in report.as_markdown(told)
