# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one token costs to read, from the best source: what the caller says, the files on the node, the profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import checkpoint, decoder_tensors, model_shape
from ansible_collections.toolserve.gpunode.plugins.module_utils.checkpoint import Tensor
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import KvCache, SizingError


@dataclass(frozen=True)
class TokenCost:
    """Bytes read for one token of one request: weights, and KV cache by context. Each knows where it comes from."""

    weight_bytes: float
    weight_source: str
    kv_cache: KvCache
    kv_source: str


def token_cost(
    *,
    bytes_per_token: float | None = None,
    kv_bytes_per_token: float | None = None,
    model_path: str | None = None,
    profile: Mapping[str, Any] | None = None,
) -> TokenCost | None:
    """None when nothing at all is known; SizingError when something is, and it does not suffice."""
    arguments = ((profile or {}).get("vllm") or {}).get("arguments") or {}
    kv_dtype = model_shape.kv_dtype_bytes(arguments)
    weight = (bytes_per_token, "option bytes_per_token") if bytes_per_token else None
    kv = (KvCache(kv_bytes_per_token), "option kv_bytes_per_token") if kv_bytes_per_token else None
    if model_path and not (weight and kv):
        folder = checkpoint.snapshot(Path(model_path))
        shape = model_shape.from_config(checkpoint.config(folder))
        kv = kv or (shape.kv_cache(kv_dtype), "config.json")
        if weight is None:
            dtype = None if shape.quantized else model_shape.DTYPE_BYTES.get(str(arguments.get("dtype")))
            found, source = _tensors(folder)
            weight = (checkpoint.weights(found, shape, dtype).read_per_token, source)
    if profile:
        read_per_token = (profile.get("bytes") or {}).get("read_per_token")
        if weight is None and read_per_token:
            weight = (float(read_per_token), "profile")
        if kv is None and profile.get("architecture"):
            kv = (model_shape.from_profile(profile).kv_cache(kv_dtype), "profile")
    if weight is None:
        return None
    if kv is None:
        raise SizingError(
            "the bytes of the weights are known, those of the KV cache are not: give kv_bytes_per_token, model_path, "
            "or a profile with an architecture"
        )
    return TokenCost(*weight, *kv)


def _tensors(folder: Path) -> tuple[list[Tensor], str]:
    """What lies in the folder, or would lie there: with --load-format dummy there are no files."""
    if checkpoint.has_weights(folder):
        return checkpoint.tensors(folder), "safetensors headers"
    return decoder_tensors.tensors(checkpoint.config(folder)), "computed from config.json"
