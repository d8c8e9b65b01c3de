# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the config.json of well-known models says of their size."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]


def dense(
    kind: str, layers: int, hidden: int, heads: int, kv_heads: int, inner: int, vocabulary: int, *, tied: bool = False
) -> Config:
    """A decoder with a gated MLP and heads of 128 numbers."""
    return {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": 128,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
    }


QWEN_7B = dense("qwen2", 28, 3584, 28, 4, 18944, 152064)
QWEN_14B = dense("qwen2", 48, 5120, 40, 8, 13824, 152064)
QWEN_32B = dense("qwen2", 64, 5120, 40, 8, 27648, 152064)
QWEN_14B_AWQ = {**QWEN_14B, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
QWEN_14B_GPTQ = {**QWEN_14B, "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}
QWEN_14B_FP8 = {**QWEN_14B, "quantization_config": {"quant_method": "fp8"}}
LLAMA_3_1_8B = dense("llama", 32, 4096, 32, 8, 14336, 128256)
LLAMA_3_2_3B = dense("llama", 28, 3072, 24, 8, 8192, 128256, tied=True)
MISTRAL_7B = dense("mistral", 32, 4096, 32, 8, 14336, 32768)
GRANITE_8B = dense("granite", 40, 4096, 32, 8, 12800, 49155, tied=True)
INTERNLM_7B = dense("llama", 32, 4096, 32, 8, 14336, 92544)  # its own type; the same build with fused tensors
GPT_OSS_20B: Config = {
    "model_type": "gpt_oss",
    "num_hidden_layers": 24,
    "hidden_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 2880,
    "vocab_size": 201088,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "attention_bias": True,
    "tie_word_embeddings": False,
    "quantization_config": {"quant_method": "mxfp4"},
}
