# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils import gpu_state
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_samples import GpuSamples
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_state import GpuState
from ansible_collections.toolserve.gpunode.plugins.modules import throughput_check
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_generator import FakeGenerator
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvml import SFF_ADA, FakeNvml

Generate = Callable[..., FakeGenerator]
Run = Callable[..., dict[str, Any]]
RETURNED = set(yaml.safe_load(throughput_check.RETURN))
QUICK = {"output_tokens": 16, "prompt_tokens": 100, "concurrency": [], "idle_timeout": 0.0}


@pytest.fixture
def generate() -> Iterator[Generate]:
    """Start stand-ins that live as long as the test."""
    with ExitStack() as stack:
        yield lambda **fields: stack.enter_context(FakeGenerator(**fields).serving())


@pytest.fixture
def check(generate: Generate, run_module: Run) -> Run:
    """``check({"running": 1}, minimum_tokens_per_second=1)``: faults of the stand-in, options of the module."""

    def run(faults: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        return run_module(throughput_check, base_url=generate(**(faults or {})).url, **{**QUICK, **options})

    return run


def first_cause(result: dict[str, Any]) -> str:
    return " ".join(result["causes"][0].values())


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_pass(check: Run, check_mode: bool) -> None:
    result = check(minimum_tokens_per_second=0.001, concurrency=[1, 3], check_mode=check_mode)
    assert result.keys() >= RETURNED and not result.get("failed") and result["changed"] is False
    assert (result["verdict"], result["idle"], result["causes"]) == ("pass", True, [])
    assert {item["verdict"] for item in result["checks"]} == {"pass"}
    assert [run["completion_tokens"] for run in result["runs"]] == [16, 16, 16]
    assert result["itl_seconds"] == pytest.approx(1 / result["decode_tokens_per_second"], rel=1e-4)
    assert [level["concurrency"] for level in result["concurrency"]] == [1, 3]
    assert all(level["alone"] is True and level["preemptions"] == 0 for level in result["concurrency"])
    assert result["server"]["version"] == "0.32.0" and result["model"] == "pocket"


def test_what_is_asked_of_the_server(generate: Generate, run_module: Run) -> None:
    endpoint = generate()
    run_module(throughput_check, base_url=endpoint.url, **QUICK, minimum_tokens_per_second=0.001)
    learning, warm_up, *runs = endpoint.requests
    assert len(runs) == 3 and learning["max_tokens"] == 1 and warm_up["max_tokens"] == 16
    for request in runs:
        assert request["min_tokens"] == request["max_tokens"] == 16 and request["ignore_eos"] is True
        assert request["temperature"] == 0 and request["stream_options"] == {"include_usage": True}
        assert len(request["prompt"]) == pytest.approx(100, abs=10)
    beginnings = {request["prompt"][:16] for request in endpoint.requests}
    assert len(beginnings) == len(endpoint.requests)


def test_the_prompt_comes_out_as_long_as_wanted_for_any_tokenizer(generate: Generate, run_module: Run) -> None:
    result = run_module(
        throughput_check, base_url=generate().url, **{**QUICK, "prompt_tokens": 1000}, minimum_tokens_per_second=0.001
    )
    assert all(run["prompt_tokens"] == pytest.approx(1000, rel=0.02) for run in result["runs"])


def test_a_context_too_short_for_the_prompt(check: Run) -> None:
    models = [{"id": "pocket", "object": "model", "root": "x", "max_model_len": 200}]
    result = check({"models": models}, prompt_tokens=1000, minimum_tokens_per_second=0.001)
    assert result["verdict"] == "pass" and all(run["prompt_tokens"] < 184 for run in result["runs"])
    assert "room for a prompt of 165 tokens" in result["summary"]


def test_a_context_too_short_for_the_answer(check: Run) -> None:
    models = [{"id": "pocket", "object": "model", "root": "x", "max_model_len": 128}]
    result = check({"models": models}, output_tokens=100)
    assert result["failed"] and "output_tokens to 64 or less" in first_cause(result)


def test_far_below_the_roofline_fails(check: Run) -> None:
    result = check(memory_bandwidth=1e15, bytes_per_token=1e9, kv_bytes_per_token=1000, step_overhead=0)
    assert result["failed"] and result["verdict"] == "fail" and result.keys() >= RETURNED
    assert result["msg"] == result["summary"] and result["efficiency"] < 0.35
    assert "the memory allows" in first_cause(result) and "quantization" in first_cause(result)
    assert result["roofline"]["weight_source"] == "option bytes_per_token"


def test_more_than_the_memory_allows_is_never_a_success(check: Run) -> None:
    result = check(
        memory_bandwidth=1000,
        memory_bandwidth_source="a wrong table",
        bytes_per_token=1e9,
        kv_bytes_per_token=1000,
        minimum_tokens_per_second=0.001,
    )
    assert result["verdict"] == "inconclusive" and result["efficiency"] > 1
    assert "a wrong table" in first_cause(result) and "bytes_per_token" in first_cause(result)


def test_a_model_too_small_for_a_roofline_is_judged_by_the_floor(check: Run) -> None:
    inputs = {"memory_bandwidth": 1e12, "bytes_per_token": 1e6, "kv_bytes_per_token": 10}
    result = check(minimum_tokens_per_second=0.001, **inputs)
    assert result["verdict"] == "pass" and result["efficiency"] < 0.35
    assert "No verdict by the roofline" in result["basis"] and "The floor is 0.001" in result["basis"]
    assert check(minimum_tokens_per_second=1e9, **inputs)["verdict"] == "fail"
    assert check(**inputs)["verdict"] == "inconclusive"


def test_nothing_to_judge_by(check: Run) -> None:
    result = check()
    assert result["verdict"] == "inconclusive" and not result.get("failed")
    assert "minimum_tokens_per_second" in result["causes"][0]["fix"]


def test_the_profile_gives_bytes_and_floor(check: Run) -> None:
    profile = {
        "bytes": {"read_per_token": 8_000_000_000},
        "architecture": {"layers": 48, "kv_heads": 8, "head_dimension": 128},
        "throughput": {"minimum_tokens_per_second": 1e9},
    }
    result = check(profile=profile, memory_bandwidth=1e15)
    assert result["verdict"] == "fail" and result["thresholds"]["minimum_tokens_per_second"] == 1e9
    assert result["roofline"]["weight_bytes"] == 8e9 and result["roofline"]["kv_source"] == "profile"
    context = result["roofline"]["context_tokens"]
    assert result["roofline"]["kv_bytes"] == pytest.approx(196_608 * context)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"running": 2.0}, "2 running"),
        ({"foreign_tokens": 5}, "the server counts 63 tokens generated"),
        ({"foreign_prompt_tokens": 400}, "Others use this server"),
        ({"cached_part": 0.5}, "prefix cache"),
        ({"uncounted": True}, "several servers share this address"),
        ({"with_usage": False}, "without usage"),
        ({"most_tokens": 4}, "answers of 4 tokens"),
        ({"buffered": True}, "in bursts"),
    ],
)
def test_a_measurement_that_is_none(check: Run, faults: dict[str, Any], said: str) -> None:
    result = check(faults, minimum_tokens_per_second=0.001)
    assert result["verdict"] == "inconclusive" and not result.get("failed")
    # Not only the first: where this machine is busy, the stream may come in bursts besides.
    assert any(said in " ".join(cause.values()) for cause in result["causes"]), result["causes"]


def test_a_busy_server_is_not_loaded_further(generate: Generate, run_module: Run) -> None:
    endpoint = generate(running=1.0)
    result = run_module(throughput_check, base_url=endpoint.url, **QUICK)
    assert result["idle"] is False and endpoint.requests == []


def test_a_server_without_figures_is_measured_and_the_doubt_told(check: Run) -> None:
    result = check({"with_metrics": False}, minimum_tokens_per_second=0.001, concurrency=[2])
    assert result["verdict"] == "pass" and result["idle"] is None
    skipped = {item["name"]: item["observed"] for item in result["checks"] if item["verdict"] == "skip"}
    assert skipped.keys() == {"idle", "counters", "prefix_cache"}
    assert "no figures of vLLM" in result["summary"]
    assert result["concurrency"][0]["alone"] is None and result["concurrency"][0]["preemptions"] is None


def test_a_server_that_dies_in_the_middle(check: Run) -> None:
    result = check({"dies_after": 4}, minimum_tokens_per_second=0.001)
    assert result["failed"] and result["verdict"] == "fail" and result.keys() >= RETURNED
    assert "cut" in first_cause(result) and result["decode_tokens_per_second"] is None


def test_a_server_that_fails_under_load(check: Run) -> None:
    result = check({"refuses_at_once": 3, "seconds_per_token": 0.03}, minimum_tokens_per_second=0.001, concurrency=[4])
    assert result["verdict"] == "fail" and "with 4 requests at once" in first_cause(result)
    assert result["concurrency"][0]["aggregate_tokens_per_second"] is None
    assert result["decode_tokens_per_second"] > 0


def test_preemptions_are_a_warning(check: Run) -> None:
    result = check({"preemptions": 1}, minimum_tokens_per_second=0.001, concurrency=[2])
    assert result["verdict"] == "warn" and "KV cache does not hold" in first_cause(result)
    assert result["concurrency"][0]["preemptions"] == 2


def test_nothing_there_is_a_failure_with_a_report(dead_url: str, run_module: Run) -> None:
    result = run_module(throughput_check, base_url=dead_url, **QUICK)
    assert result["failed"] and result.keys() >= RETURNED
    assert "What was seen: connection refused" in result["msg"]


def test_a_server_without_completions(run_module: Run) -> None:
    with FakeEndpoint().serving() as endpoint:
        result = run_module(throughput_check, base_url=endpoint.url, **QUICK)
    assert result["verdict"] == "fail" and result["causes"][0]["symptom"] == "HTTP 404"


def test_a_name_that_is_not_served(run_module: Run) -> None:
    with FakeEndpoint().serving() as endpoint:
        result = run_module(throughput_check, base_url=endpoint.url, model="rocket", **QUICK)
    assert result["failed"] and "The server serves pocket and no other name" in first_cause(result)


def test_the_gpus_are_looked_at_while_it_decodes(check: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held_back = {**SFF_ADA, "nvmlDeviceGetCurrentClocksEventReasons": 0x4}

    def look() -> GpuState:
        return gpu_state.look(tmp_path, lambda: FakeNvml(held_back), "no-such-command")

    monkeypatch.setattr(throughput_check, "GpuSamples", lambda: GpuSamples(look, seconds=0.001))
    result = check({"seconds_per_token": 0.01}, sample_gpus=True, minimum_tokens_per_second=0.001)
    (load,) = result["gpus_under_load"]
    documented = yaml.safe_load(throughput_check.RETURN)["gpus_under_load"]["contains"]
    assert load.keys() == documented.keys() and load["samples"] > 1
    assert load["throttle_reasons"] == {"sw_power_cap": load["samples"]}
    assert max(len(line) for line in result["summary"].splitlines()) <= 100
    assert "12 W, 41 °C    memory 405 MHz, SM 210 MHz, 7% busy" in result["summary"]
    assert f"GPU 0, of {load['samples']} looks while it decoded: sw_power_cap in" in result["summary"]


def test_nobody_looks_unasked(check: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(throughput_check, "GpuSamples")
    assert check(minimum_tokens_per_second=0.001)["gpus_under_load"] == []


def test_without_a_gpu_nothing_is_told_of_one(check: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def look() -> GpuState:
        return gpu_state.look(tmp_path, lambda: FakeNvml(), "no-such-command")

    monkeypatch.setattr(throughput_check, "GpuSamples", lambda: GpuSamples(look, seconds=0))
    result = check(sample_gpus=True, minimum_tokens_per_second=0.001)
    assert (result["verdict"], result["gpus_under_load"]) == ("pass", []) and "GPU" not in result["summary"]


def test_the_key_is_in_nothing_that_is_returned(generate: Generate, run_module: Run) -> None:
    url = generate(api_key="canary-key").url
    result = run_module(throughput_check, base_url=url, api_key="canary-key", **QUICK)
    result.pop("invocation", None)  # newer releases of ansible-core leave it out
    assert "canary-key" not in json.dumps(result) and result["runs"]
    wrong = run_module(throughput_check, base_url=url, api_key="wrong-key", **QUICK)
    assert wrong["failed"] and "API key" in first_cause(wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": 0}, "runs is 0"),
        ({"output_tokens": 8}, "fewer than 16"),
        ({"concurrency": [0]}, "concurrency"),
        ({"fail_below": 0.6}, "fail_below is 0.6"),
        ({"memory_bandwidth": -1}, "memory_bandwidth is -1"),
        ({"step_overhead": -1}, "must not be negative"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"model_path": "/nowhere"}, "/nowhere is no folder"),
        ({"bytes_per_token": 1e9}, "give kv_bytes_per_token"),
    ],
)
def test_options_that_make_no_sense(run_module: Run, dead_url: str, options: dict[str, Any], message: str) -> None:
    result = run_module(throughput_check, **{"base_url": dead_url, **options})
    assert result["failed"] and message in result["msg"]


def test_the_summary_fits_a_terminal_and_the_markdown_says_the_same(check: Run) -> None:
    result = check(memory_bandwidth=1e15, bytes_per_token=1e9, kv_bytes_per_token=1000, concurrency=[2])
    assert max(len(line) for line in result["summary"].splitlines()) <= 100
    assert f"{result['decode_tokens_per_second']:.1f} tokens/s" in result["summary"]
    assert f"{result['decode_tokens_per_second']:.1f} tokens/s" in result["summary_markdown"]
    assert result["summary_markdown"].startswith("## Throughput at ")
