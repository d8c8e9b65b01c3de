# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a server is slower than it should be, as far as a measurement alone can tell."""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.roofline import Roofline
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Outcome
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import TokenCost
from ansible_collections.toolserve.gpunode.plugins.module_utils.unserved_model import unserved_model

_WHERE_TO_LOOK = (
    "Look in the server's log for a forced or unoptimized quantization kernel (leave --quantization out), for eager "
    "mode (leave --enforce-eager out) and for the CPU as device; on the GPU for a power cap, thermal throttling and "
    "other processes (nvidia-smi -q -d PERFORMANCE,POWER)."
)


def request(error: EndpointError, outcome: Outcome) -> Cause:
    """A request failed."""
    named = unserved_model(error, outcome.model, outcome.state.served)
    return named or Cause(error.seen, error.means, error.fix, CERTAIN)


def slow(speed: float, roofline: Roofline, efficiency: float) -> Cause:
    """Far from what the memory allows."""
    return Cause(
        f"{speed:.1f} tokens/s are {efficiency:.0%} of the {roofline.tokens_per_second:.1f} that the memory allows",
        "Something other than reading the weights sets the pace: a slow kernel, a mode without CUDA graphs, a GPU that "
        "is held back, or the wrong device.",
        _WHERE_TO_LOOK,
        POSSIBLE,
    )


def below_floor(speed: float, floor: float) -> Cause:
    """Less than what was set as the least."""
    return Cause(
        f"{speed:.1f} tokens/s, and {floor:g} is the least that was asked for",
        "The server is too slow for its purpose: the machine is too small for the model, or does not do what it can.",
        _WHERE_TO_LOOK,
        POSSIBLE,
    )


def impossible(speed: float, roofline: Roofline, cost: TokenCost, bandwidth_source: str) -> Cause:
    """More than 100 %."""
    return Cause(
        f"{speed:.1f} tokens/s were measured, and the memory would allow {roofline.tokens_per_second:.1f}",
        f"An input of the roofline is wrong: the bandwidth of {_giga(roofline.memory_bandwidth)} GB/s "
        f"({bandwidth_source}) is too low, or the {_giga(roofline.weight_bytes)} GB of weights ({cost.weight_source}) "
        f"or the {_giga(roofline.kv_bytes)} GB of KV cache ({cost.kv_source}) read for each token are too high.",
        "Correct memory_bandwidth (all GPUs that share the work together), or bytes_per_token and kv_bytes_per_token: "
        "does the profile fit the model that is served, and its quantization? Is its decoding speculative?",
        CERTAIN,
    )


def nothing_to_judge_by(speed: float, basis: str) -> Cause:
    """Neither roofline nor floor."""
    return Cause(
        f"{speed:.1f} tokens/s, and nothing to judge them by",
        basis,
        "Set minimum_tokens_per_second; or give memory_bandwidth, and the model's bytes by model_path, profile or "
        "bytes_per_token.",
        CERTAIN,
    )


def load(outcome: Outcome) -> Cause | None:
    """The KV cache was too small for several requests."""
    level = next((level for level in outcome.levels if level.preemptions), None)
    if level is None or level.alone is False:
        return None
    return Cause(
        f"{level.preemptions:.0f} preemptions with {level.requests} requests at once",
        "The KV cache does not hold so many requests of this length: some are thrown out and computed again.",
        "Raise --gpu-memory-utilization, lower --max-model-len or --max-num-seqs, or use --kv-cache-dtype fp8.",
        LIKELY,
    )


def failed_under_load(error: EndpointError, requests: int) -> Cause:
    """Alone a request works, among others it does not."""
    return Cause(
        f"{error.seen}, with {requests} requests at once",
        f"One request at a time is answered. {error.means}",
        error.fix,
        CERTAIN,
    )


def _giga(value: float) -> str:
    return f"{value / 1e9:.3g}"
