# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_metrics import EndpointMetrics, from_metrics
from ansible_collections.toolserve.gpunode.plugins.module_utils.prometheus_text import parse

RECORDED = Path(__file__).parent / "recorded/metrics-vllm-0.32.0.txt"

# The names and labels of vLLM 0.9.2 as its sources have them: no capacity, and both old and new names for usage.
RELEASE_0_9 = """
vllm:num_requests_running{engine="0",model_name="q"} 1.0
vllm:num_requests_waiting{engine="0",model_name="q"} 3.0
vllm:gpu_cache_usage_perc{engine="0",model_name="q"} 0.25
vllm:gpu_prefix_cache_queries_total{engine="0",model_name="q"} 100.0
vllm:gpu_prefix_cache_hits_total{engine="0",model_name="q"} 40.0
vllm:num_preemptions_total{engine="0",model_name="q"} 2.0
vllm:prompt_tokens_total{engine="0",model_name="q"} 100.0
vllm:generation_tokens_total{engine="0",model_name="q"} 50.0
vllm:cache_config_info{block_size="16",cache_dtype="fp8",engine="0",num_cpu_blocks="None",num_gpu_blocks="2904"} 1.0
"""


def test_a_page_of_vllm_0_32() -> None:
    assert from_metrics(parse(RECORDED.read_text()), 2048) == EndpointMetrics(
        kv_cache_tokens=139776,
        max_concurrency=68.25,
        kv_cache_dtype="auto",
        block_size=128,
        gpu_blocks=1092,
        kv_cache_usage=0.0018331805682859637,
        requests_running=2,
        requests_waiting=0,
        preemptions=0,
        prefix_cache_queries=1542,
        prefix_cache_hits=0,
        prompt_tokens=1542,
        generation_tokens=2668,
    )


def test_a_page_of_vllm_0_9() -> None:
    assert from_metrics(parse(RELEASE_0_9), 23232) == EndpointMetrics(
        kv_cache_tokens=46464,
        max_concurrency=2.0,
        kv_cache_dtype="fp8",
        block_size=16,
        gpu_blocks=2904,
        kv_cache_usage=0.25,
        requests_running=1,
        requests_waiting=3,
        preemptions=2,
        prefix_cache_queries=100,
        prefix_cache_hits=40,
        prompt_tokens=100,
        generation_tokens=50,
    )
    assert from_metrics(parse(RELEASE_0_9)).max_concurrency is None, "the context is not known"


@pytest.mark.parametrize("page", ["", "<html>", "process_cpu_seconds_total 3.0"])
def test_a_server_that_shows_none_of_it(page: str) -> None:
    assert from_metrics(parse(page), 2048) == EndpointMetrics()


def test_several_engines_are_added_up() -> None:
    second = RELEASE_0_9.replace('engine="0"', 'engine="1"').replace("0.25", "0.75")
    found = from_metrics(parse(RELEASE_0_9 + second), 23232)
    assert (found.gpu_blocks, found.block_size, found.requests_waiting) == (5808, 16, 6)
    assert found.kv_cache_usage == 0.75, "the fullest one"


@pytest.mark.parametrize("value", ["None", "many", ""])
def test_a_label_that_holds_no_number(value: str) -> None:
    found = from_metrics(parse(f'vllm:cache_config_info{{block_size="16",num_gpu_blocks="{value}"}} 1.0'), 100)
    assert (found.block_size, found.gpu_blocks, found.kv_cache_tokens) == (16, None, None)


def test_a_count_that_is_none() -> None:
    assert from_metrics(parse("vllm:num_requests_running NaN\nvllm:num_preemptions_total +Inf")) == EndpointMetrics()
