# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a model's architecture that its memory and speed follow from: out of config.json or a profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import KvCache, SizingError

# Bytes of one number, by the names that config.json, vLLM's --dtype and --kv-cache-dtype use.
DTYPE_BYTES = {
    "float32": 4,
    "float": 4,
    "float16": 2,
    "half": 2,
    "bfloat16": 2,
    "fp8": 1,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
}


@dataclass(frozen=True)
class ModelShape:
    """Layers are those with attention, the only ones with a KV cache; ``sliding_layers`` of them look back only
    ``window`` tokens. ``dtype_bytes`` is the size of an unquantised number, ``state_bytes`` what recurrent layers keep
    of one request."""

    layers: int
    kv_heads: int
    head_dimension: int
    tied_embeddings: bool = False
    sliding_layers: int = 0
    window: int = 0
    experts: int = 0
    active_experts: int = 0
    dtype_bytes: int = 2
    quantized: bool = False
    state_bytes: int = 0

    @property
    def active_fraction(self) -> float:
        """The part of the experts' weights that one token needs; 1 for a dense model."""
        return self.active_experts / self.experts if self.experts else 1.0

    def kv_cache(
        self, dtype_bytes: float | None = None, tensor_parallel: int = 1, pipeline_parallel: int = 1
    ) -> KvCache:
        """Of all GPUs together, or of one where several share the heads or the layers; a head is on one GPU at least.

        :param dtype_bytes: the size of a number of --kv-cache-dtype; by default that of the model.
        """
        heads = max(self.kv_heads // tensor_parallel, 1)  # as vLLM's get_num_kv_heads
        layer = 2 * heads * self.head_dimension * (dtype_bytes or self.dtype_bytes)
        sliding = ceil(self.sliding_layers / pipeline_parallel)
        full = ceil((self.layers - self.sliding_layers) / pipeline_parallel)
        state = self.state_bytes / (tensor_parallel * pipeline_parallel)
        return KvCache(full * layer, sliding * layer, self.window, state)


def from_profile(profile: Mapping[str, Any]) -> ModelShape:
    """What ``architecture`` of a profile says. SizingError when it says too little."""
    architecture = profile.get("architecture") or {}
    missing = [name for name in ("layers", "kv_heads", "head_dimension") if not architecture.get(name)]
    if missing:
        raise SizingError(f"the profile's architecture lacks {', '.join(missing)}")
    sliding, experts = architecture.get("sliding_window") or {}, architecture.get("experts") or {}
    arguments = (profile.get("vllm") or {}).get("arguments") or {}
    return ModelShape(
        layers=architecture.get("attention_layers") or architecture["layers"],
        kv_heads=architecture["kv_heads"],
        head_dimension=architecture["head_dimension"],
        tied_embeddings=bool(architecture.get("tied_embeddings")),
        sliding_layers=sliding.get("layers", 0),
        window=sliding.get("tokens", 0),
        experts=experts.get("total", 0),
        active_experts=experts.get("active", 0),
        dtype_bytes=DTYPE_BYTES.get(str(arguments.get("dtype")), 2),
        state_bytes=architecture.get("state_bytes", 0),
    )


def kv_dtype_bytes(arguments: Mapping[str, Any]) -> int | None:
    """The size that --kv-cache-dtype asks for; None where it is left to the model."""
    asked = str(arguments.get("kv-cache-dtype"))
    return 1 if asked.startswith("fp8") else DTYPE_BYTES.get(asked)


def from_config(config: Mapping[str, Any]) -> ModelShape:
    """What a config.json of the transformers library says. SizingError where that does not suffice."""
    text = config.get("text_config")
    if isinstance(text, Mapping):
        config = {**config, **text}
    if config.get("kv_lora_rank"):
        raise SizingError("the model compresses its KV cache (multi-head latent attention), which is not covered")
    layers = _first(config, "num_hidden_layers", "n_layer")
    heads = _first(config, "num_attention_heads", "n_head")
    hidden = _first(config, "hidden_size", "n_embd")
    if not layers or not heads or not hidden:
        raise SizingError("config.json names no layers, attention heads or hidden size")
    sliding, window = _sliding(config, layers)
    return ModelShape(
        layers=_attention_layers(config, layers),
        kv_heads=1 if config.get("multi_query") else _first(config, "num_key_value_heads") or heads,
        head_dimension=_first(config, "head_dim") or hidden // heads,
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        sliding_layers=sliding,
        window=window,
        experts=_first(config, "num_local_experts", "num_experts", "n_routed_experts"),
        active_experts=_first(config, "num_experts_per_tok", "experts_per_token"),
        dtype_bytes=DTYPE_BYTES.get(str(config.get("dtype") or config.get("torch_dtype")), 2),
        quantized=bool(config.get("quantization_config")),
    )


def _attention_layers(config: Mapping[str, Any], layers: int) -> int:
    """Hybrid models have attention in some layers only."""
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return sum("attention" in str(kind) and kind != "linear_attention" for kind in kinds)
    if period := _first(config, "attn_layer_period"):  # Jamba
        return len(range(_first(config, "attn_layer_offset"), layers, period))
    return layers


def _sliding(config: Mapping[str, Any], layers: int) -> tuple[int, int]:
    """How many layers have a sliding window, and its tokens."""
    window = _first(config, "sliding_window")
    if not window or config.get("use_sliding_window") is False:
        return 0, 0
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        count = kinds.count("sliding_attention")
        return (count, window) if count else (0, 0)
    if "max_window_layers" in config:  # Qwen2: the layers from this one on
        return max(layers - int(config["max_window_layers"]), 0), window
    return layers, window


def _first(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if config.get(name)), 0)
