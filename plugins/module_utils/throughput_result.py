# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A measurement as throughput_check returns it; the module's documentation says what each field means."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.completion import Completion
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_judge import Bandwidth, Judgement, Limits
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Level, Outcome
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import TokenCost


def results(
    outcome: Outcome, judgement: Judgement, cost: TokenCost | None, bandwidth: Bandwidth | None, limits: Limits
) -> dict[str, Any]:
    """Everything but the summaries."""
    roofline = judgement.roofline
    return {
        "verdict": judgement.verdict,
        "basis": judgement.basis,
        "decode_tokens_per_second": _rounded(outcome.median(lambda run: run.decode_tokens_per_second)),
        "ttft_seconds": _rounded(outcome.median(lambda run: run.ttft)),
        "itl_seconds": _rounded(outcome.median(lambda run: run.inter_token_latency)),
        "roofline_tokens_per_second": _rounded(roofline.tokens_per_second) if roofline else None,
        "efficiency": _rounded(judgement.efficiency),
        "roofline": {
            "memory_bandwidth": roofline.memory_bandwidth,
            "memory_bandwidth_source": bandwidth.source,
            "weight_bytes": roofline.weight_bytes,
            "weight_source": cost.weight_source,
            "kv_bytes": roofline.kv_bytes,
            "kv_source": cost.kv_source,
            "context_tokens": outcome.median(lambda run: run.mean_context),
        }
        if roofline and cost and bandwidth
        else None,
        "runs": [_run(completion) for completion in outcome.runs],
        "concurrency": [_level(level) for level in outcome.levels],
        "gpus_under_load": outcome.gpus_under_load,
        "checks": [check.as_dict() for check in judgement.checks],
        "idle": _idle(judgement),
        "thresholds": asdict(limits),
        "causes": [cause.as_dict() for cause in judgement.causes],
        "server": outcome.state.as_dict(),
        "model": outcome.model,
    }


def _run(completion: Completion) -> dict[str, Any]:
    measured = completion.measured
    return {
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "ttft_seconds": _rounded(completion.ttft) if completion.arrivals else None,
        "decode_tokens_per_second": _rounded(completion.decode_tokens_per_second) if measured else None,
        "itl_seconds": _rounded(completion.inter_token_latency) if measured else None,
        "longest_gap_seconds": _rounded(completion.longest_gap),
    }


def _level(level: Level) -> dict[str, Any]:
    return {
        "concurrency": level.requests,
        "aggregate_tokens_per_second": _rounded(level.tokens_per_second),
        "decode_tokens_per_second": _rounded(level.each),
        "ttft_seconds": _rounded(level.ttft),
        "preemptions": None if level.preemptions is None else int(level.preemptions),
        "peak_kv_cache_usage": _rounded(level.peak_kv_cache_usage),
        "alone": level.alone,
        "error": level.error.as_dict() if level.error else None,
    }


def _idle(judgement: Judgement) -> bool | None:
    verdicts = {check.verdict for check in judgement.checks if check.name in ("idle", "counters")}
    if "fail" in verdicts:
        return False
    return True if verdicts == {"pass"} else None


def _rounded(value: float | None) -> float | None:
    """To six digits, which is more than a clock can tell."""
    return None if value is None else float(f"{value:.6g}")
