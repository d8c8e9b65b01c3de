# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""This release's own arithmetic of the KV cache: how long a context fits into so many bytes."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import torch  # type: ignore[import-not-found]
from vllm.v1 import kv_cache_interface
from vllm.v1.core import kv_cache_utils

_LIMIT = 10_000_000


def longest_context(
    layers: int,
    sliding_layers: int,
    window: int,
    kv_heads: int,
    head_dimension: int,
    memory: int,
    tokens_in_flight: int,
) -> int:
    """Tokens, for layers in bf16 and blocks of 16 tokens."""
    shape = {"num_kv_heads": kv_heads, "head_size": head_dimension}
    whole = _spec("FullAttentionSpec", shape)
    short = _spec("SlidingWindowSpec", {**shape, "sliding_window": window})
    specs = {f"layer {n}": short if n < sliding_layers else whole for n in range(layers)}
    config: Any = SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=_LIMIT),
        scheduler_config=SimpleNamespace(max_num_batched_tokens=tokens_in_flight),
        parallel_config=SimpleNamespace(decode_context_parallel_size=1, prefill_context_parallel_size=1),
        max_in_flight_tokens=tokens_in_flight,
    )
    if estimate := getattr(kv_cache_utils, "estimate_max_model_len", None):
        return int(estimate(config, specs, memory))
    fits, too_long = 0, _LIMIT  # gone at 0.33, where the layers still say what they need
    while too_long - fits > 1:
        config.model_config.max_model_len = (fits + too_long) // 2
        if sum(spec.max_memory_usage_bytes(config) for spec in specs.values()) <= memory:
            fits = config.model_config.max_model_len
        else:
            too_long = config.model_config.max_model_len
    return fits


def _spec(kind: str, values: dict[str, int]) -> Any:
    """Old releases also ask whether attention is multi-head latent."""
    made = getattr(kv_cache_interface, kind)
    known = {field.name for field in dataclasses.fields(made)}
    given = {"block_size": 16, "dtype": torch.bfloat16, "use_mla": False, **values}
    return made(**{name: value for name, value in given.items() if name in known})
