# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tensors that a checkpoint will hold, computed from config.json: before it is downloaded, or where none exists.

Covers the decoders of one common build: attention with separate query, key, value and output, and a gated MLP
(Llama, Mistral, Qwen2, Granite) or experts in MXFP4 (gpt-oss); unquantised, AWQ and GPTQ, and fp8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.checkpoint import Tensor
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import ModelShape, from_config
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import SizingError

GATED = ("granite", "llama", "mistral", "qwen2")
MXFP4_BLOCK = 32  # numbers that share one scale of a byte
_FLOAT_NAMES = {4: "F32", 2: "BF16"}


def tensors(config: Mapping[str, Any]) -> list[Tensor]:
    """Names, shapes and bytes. SizingError for an architecture or a quantization that is not covered."""
    kind = config.get("model_type")
    if kind not in (*GATED, "gpt_oss"):
        raise SizingError(f"the weights of a {kind} model can be read from its files only, not computed")
    try:
        return list(_Decoder(config).tensors())
    except KeyError as error:
        raise SizingError(f"config.json lacks {error.args[0]}") from None


class _Decoder:
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._shape: ModelShape = from_config(config)
        self._hidden = int(config["hidden_size"])
        self._quantization: Mapping[str, Any] = config.get("quantization_config") or {}
        self._gpt_oss = config["model_type"] == "gpt_oss"

    def tensors(self) -> Iterator[Tensor]:
        vocabulary = int(self._config["vocab_size"])
        yield self._plain("model.embed_tokens.weight", vocabulary, self._hidden)
        for number in range(int(self._config["num_hidden_layers"])):
            yield from self._layer(f"model.layers.{number}")
        yield self._plain("model.norm.weight", self._hidden)
        if not self._shape.tied_embeddings:
            yield self._plain("lm_head.weight", vocabulary, self._hidden)

    def _layer(self, layer: str) -> Iterator[Tensor]:
        query = int(self._config["num_attention_heads"]) * self._shape.head_dimension
        key = self._shape.kv_heads * self._shape.head_dimension
        biased = bool(self._config.get("attention_bias", self._config["model_type"] == "qwen2"))
        for name, rows, columns in (
            ("q", query, self._hidden),
            ("k", key, self._hidden),
            ("v", key, self._hidden),
            ("o", self._hidden, query),
        ):
            linear = self._plain_linear if self._gpt_oss else self._linear
            yield from linear(f"{layer}.self_attn.{name}_proj", rows, columns)
            if biased and (name != "o" or self._gpt_oss):
                yield self._plain(f"{layer}.self_attn.{name}_proj.bias", rows)
        yield from self._experts(f"{layer}.mlp") if self._gpt_oss else self._mlp(f"{layer}.mlp")
        yield self._plain(f"{layer}.input_layernorm.weight", self._hidden)
        yield self._plain(f"{layer}.post_attention_layernorm.weight", self._hidden)

    def _mlp(self, name: str) -> Iterator[Tensor]:
        inner = int(self._config["intermediate_size"])
        yield from self._linear(f"{name}.gate_proj", inner, self._hidden)
        yield from self._linear(f"{name}.up_proj", inner, self._hidden)
        yield from self._linear(f"{name}.down_proj", self._hidden, inner)

    def _experts(self, name: str) -> Iterator[Tensor]:
        inner, count = int(self._config["intermediate_size"]), self._shape.experts
        yield self._plain(f"{name}.router.weight", count, self._hidden)
        yield self._plain(f"{name}.router.bias", count)
        for part, rows, columns in (("gate_up", 2 * inner, self._hidden), ("down", self._hidden, inner)):
            blocks = columns // MXFP4_BLOCK
            yield _bytes(f"{name}.experts.{part}_proj_blocks", count, rows, blocks, MXFP4_BLOCK // 2)
            yield _bytes(f"{name}.experts.{part}_proj_scales", count, rows, blocks)
            yield self._plain(f"{name}.experts.{part}_proj_bias", count, rows)

    def _linear(self, name: str, rows: int, columns: int) -> Iterator[Tensor]:
        method = self._quantization.get("quant_method")
        if method is None:
            yield from self._plain_linear(name, rows, columns)
        elif method == "fp8":
            yield Tensor(f"{name}.weight", "F8_E4M3", (rows, columns), rows * columns)
            yield Tensor(f"{name}.weight_scale", "F32", (1,), 4)
        elif method in ("awq", "gptq"):
            bits = int(self._quantization["bits"])
            groups = columns // int(self._quantization["group_size"])
            packed = 32 // bits
            yield _integers(f"{name}.qweight", columns, rows // packed)
            yield _integers(f"{name}.qzeros", groups, rows // packed)
            yield Tensor(f"{name}.scales", "F16", (groups, rows), groups * rows * 2)
        else:
            raise SizingError(f"the weights of a model quantized with {method} can be read from its files only")

    def _plain_linear(self, name: str, rows: int, columns: int) -> Iterator[Tensor]:
        yield self._plain(f"{name}.weight", rows, columns)

    def _plain(self, name: str, *shape: int) -> Tensor:
        size = self._shape.dtype_bytes
        return Tensor(name, _FLOAT_NAMES[size], shape, prod(shape) * size)


def _bytes(name: str, *shape: int) -> Tensor:
    return Tensor(name, "U8", shape, prod(shape))


def _integers(name: str, *shape: int) -> Tensor:
    return Tensor(name, "I32", shape, prod(shape) * 4)
