# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What vLLM tells of itself at /metrics: the size of its KV cache, its load, its counters.

Names differ by release and are tried in order, newest first; what a release does not show is None.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.prometheus_text import Metrics, parse

# gpu_* until vLLM 0.11.1. Counters are found with and without _total.
RUNNING = ("vllm:num_requests_running",)
WAITING = ("vllm:num_requests_waiting",)
PREEMPTIONS = ("vllm:num_preemptions",)
PROMPT_TOKENS = ("vllm:prompt_tokens",)
GENERATED_TOKENS = ("vllm:generation_tokens",)
PREFIX_CACHE_QUERIES = ("vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries")
PREFIX_CACHE_HITS = ("vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits")
KV_CACHE_USAGE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
# One line for each engine; every setting of its cache is a label, as text.
CACHE_CONFIG = ("vllm:cache_config_info",)

_T = TypeVar("_T")
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class EndpointMetrics:
    """One reading, over all engines of the server; each figure is None where the server does not show it.

    ``kv_cache_tokens``: how many tokens the KV cache holds; ``max_concurrency``: how many requests of the full
    context that is; ``kv_cache_usage``: the fullest engine, from 0 to 1; requests are those of this moment, tokens,
    preemptions and prefix cache figures (in tokens) count from the start of the server.
    """

    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    kv_cache_dtype: str | None = None
    block_size: int | None = None
    gpu_blocks: int | None = None
    kv_cache_usage: float | None = None
    requests_running: int | None = None
    requests_waiting: int | None = None
    preemptions: int | None = None
    prefix_cache_queries: int | None = None
    prefix_cache_hits: int | None = None
    prompt_tokens: int | None = None
    generation_tokens: int | None = None

    def as_dict(self) -> dict[str, int | float | str | None]:
        """For return values."""
        return asdict(self)


def read(client: OpenAIClient, max_model_len: int | None = None) -> EndpointMetrics:
    """Ask the server; one that shows no figures, or only to others, is no error."""
    try:
        return from_metrics(parse(client.get_text("/metrics")), max_model_len)
    except EndpointError:
        return EndpointMetrics()


def from_metrics(metrics: Metrics, max_model_len: int | None = None) -> EndpointMetrics:
    """Read a page. ``max_model_len``, the context in tokens, is needed for max_concurrency up to vLLM 0.20."""
    block_size = _label(metrics, "block_size", int)
    gpu_blocks = _sum_of_labels(metrics, "num_gpu_blocks", int)
    # The labels with the capacity came between 0.20 and 0.25. Before them it has to be computed, which is too
    # simple for models that mix kinds of attention.
    tokens = _sum_of_labels(metrics, "kv_cache_size_tokens", int)
    if tokens is None and block_size is not None and gpu_blocks is not None:
        tokens = block_size * gpu_blocks
    concurrency = _sum_of_labels(metrics, "kv_cache_max_concurrency", float)
    if concurrency is None and tokens is not None and max_model_len:
        concurrency = round(tokens / max_model_len, 2)
    return EndpointMetrics(
        kv_cache_tokens=tokens,
        max_concurrency=concurrency,
        kv_cache_dtype=_label(metrics, "cache_dtype", str),
        block_size=block_size,
        gpu_blocks=gpu_blocks,
        kv_cache_usage=metrics.highest(*KV_CACHE_USAGE),
        requests_running=_count(metrics.total(*RUNNING)),
        requests_waiting=_count(metrics.total(*WAITING)),
        preemptions=_count(metrics.total(*PREEMPTIONS)),
        prefix_cache_queries=_count(metrics.total(*PREFIX_CACHE_QUERIES)),
        prefix_cache_hits=_count(metrics.total(*PREFIX_CACHE_HITS)),
        prompt_tokens=_count(metrics.total(*PROMPT_TOKENS)),
        generation_tokens=_count(metrics.total(*GENERATED_TOKENS)),
    )


def _count(value: float | None) -> int | None:
    return int(value) if value is not None and math.isfinite(value) else None


def _label(metrics: Metrics, name: str, kind: Callable[[str], _T]) -> _T | None:
    return next(iter(_labels(metrics, name, kind)), None)


def _sum_of_labels(metrics: Metrics, name: str, kind: Callable[[str], _Number]) -> _Number | None:
    found = _labels(metrics, name, kind)
    return sum(found[1:], found[0]) if found else None


def _labels(metrics: Metrics, name: str, kind: Callable[[str], _T]) -> list[_T]:
    """The label of each engine, as far as it holds a value of this kind ("None" is how Python writes that it lacks)."""
    found = []
    for sample in metrics.samples(*CACHE_CONFIG):
        text = sample.labels.get(name, "None")
        if text != "None":
            with contextlib.suppress(ValueError):
                found.append(kind(text))
    return found
