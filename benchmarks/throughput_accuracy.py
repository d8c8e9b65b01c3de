# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far throughput_check agrees with vLLM's own benchmark, and what it says of a roofline on a CPU.

Both measure the same server in turn, so that what disturbs one disturbs the other. Prints each pair, and writes all
of it to a file for docs/throughput.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import throughput_report as report
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_judge import (
    Bandwidth,
    Limits,
    judge,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_result import results
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import (
    Options,
    Outcome,
    run,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import token_cost

from benchmarks import dummy_model, memory_bandwidth
from tests.bench import engine
from tests.bench.ansible import REPOSITORY
from tests.bench.console import say, step

LOW, HIGH = 0.97, 1.03


def main() -> int:
    parser = argparse.ArgumentParser(description="throughput_check against vLLM's own benchmark")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--output-tokens", type=int, default=128)
    parser.add_argument("--runs", type=int, default=3, help="requests in each half of a pair")
    parser.add_argument("--threads", type=int, default=1, help="of the server")
    parser.add_argument("--result", type=Path, default=REPOSITORY / "benchmarks/results/throughput_accuracy.json")
    arguments = parser.parse_args()
    with step("Measuring the memory's bandwidth (about 30 s)"):
        bandwidths = [memory_bandwidth.measure()]
    with dummy_model.serving(engine.ensure(), arguments.threads) as server:
        pairs = [_pair(server, number, arguments) for number in range(arguments.pairs)]
        outcome = _measure(server, arguments, concurrency=(1, 4, 8))
        cost = token_cost(model_path=str(server.folder))
    with step("Measuring the memory's bandwidth again"):
        bandwidths.append(memory_bandwidth.measure())
    best = max(found.best for found in bandwidths)
    limits, bandwidth = Limits(), Bandwidth(best, "measured, the best of two")
    judgement = judge(outcome, cost, bandwidth, limits)
    say("\n" + report.as_text(report.build(outcome, judgement)) + "\n")
    ratios = [pair["ratio"] for pair in pairs]
    median = statistics.median(ratios)
    say(f"ours / vLLM's own, {len(ratios)} pairs: {' '.join(f'{ratio:.3f}' for ratio in ratios)}")
    say(f"median {median:.3f} (wanted: {LOW} to {HIGH}); load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    document = {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "server": {
            "vllm": outcome.state.version,
            "threads": arguments.threads,
            "model": "Qwen2.5-0.5B, random weights",
        },
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "memory_bandwidth": [asdict(found) for found in bandwidths],
        "options": {"prompt_tokens": arguments.prompt_tokens, "output_tokens": arguments.output_tokens},
        "pairs": pairs,
        "median_ratio": median,
        "throughput_check": results(outcome, judgement, cost, bandwidth, limits),
    }
    arguments.result.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    possible = judgement.efficiency is not None and judgement.efficiency <= 1
    return 0 if LOW <= median <= HIGH and possible else 1


def _pair(server: dummy_model.DummyServer, number: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One after the other, each first in every second pair."""
    ours_first = number % 2 == 0
    ours = _measure(server, arguments) if ours_first else None
    theirs = server.benchmark(arguments.prompt_tokens, arguments.output_tokens, arguments.runs)
    ours = ours or _measure(server, arguments)
    speed = ours.median(lambda completion: completion.decode_tokens_per_second)
    if speed is None:
        raise SystemExit(f"not measured: {ours.blocked or ours.busy}")
    own = 1000 / theirs["median_tpot_ms"]
    pair = {
        "ours": round(speed, 3),
        "vllm": round(own, 3),
        "ratio": round(speed / own, 4),
        "ours_ttft_seconds": round(ours.median(lambda completion: completion.ttft) or 0.0, 4),
        "vllm_ttft_seconds": round(theirs["median_ttft_ms"] / 1000, 4),
        "ours_runs": [round(completion.decode_tokens_per_second, 3) for completion in ours.runs],
    }
    say(f"    pair {number + 1}: ours {speed:.2f}, vLLM's own {own:.2f} tokens/s, ratio {pair['ratio']:.3f}")
    return pair


def _measure(
    server: dummy_model.DummyServer, arguments: argparse.Namespace, concurrency: tuple[int, ...] = ()
) -> Outcome:
    return run(
        OpenAIClient(server.url, timeout=600),
        Options(
            prompt_tokens=arguments.prompt_tokens,
            output_tokens=arguments.output_tokens,
            runs=arguments.runs,
            concurrency=concurrency,
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
