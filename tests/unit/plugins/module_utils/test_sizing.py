# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures that were computed for well-known models, and the rules behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import checkpoint, decoder_tensors, model_shape
from ansible_collections.toolserve.gpunode.plugins.module_utils.roofline import Roofline
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB, KvCache, KvPool, SizingError
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import token_cost
from ansible_collections.toolserve.gpunode.tests.unit.plugins import model_configs as configs
from ansible_collections.toolserve.gpunode.tests.unit.plugins.model_folder import write_model
from hypothesis import given
from hypothesis import strategies as st

KIB = 1024
MIB = 1024 * KIB
REFERENCE_BANDWIDTH = 280e9  # RTX 4000 SFF Ada


def weights(config: dict[str, Any], folder: Path, shards: int = 2) -> checkpoint.Weights:
    """As from a download: the files are written and their headers read again."""
    write_model(folder, config, decoder_tensors.tensors(config), shards)
    return checkpoint.weights(checkpoint.tensors(folder), model_shape.from_config(config))


@pytest.mark.parametrize(
    ("config", "total", "read"),
    [
        pytest.param(configs.QWEN_14B_AWQ, 9.98, 8.42, id="qwen2.5-14b-awq"),
        pytest.param(configs.QWEN_14B_GPTQ, 9.98, 8.42, id="qwen2.5-14b-gptq"),
        pytest.param(configs.QWEN_14B_FP8, 16.3, 14.8, id="qwen2.5-14b-fp8"),
        pytest.param(configs.QWEN_7B, 15.2, 14.1, id="qwen2.5-7b"),
        pytest.param(configs.QWEN_14B, 29.5, 28.0, id="qwen2.5-14b"),
        pytest.param(configs.QWEN_32B, 65.5, 64.0, id="qwen2.5-32b"),
        pytest.param(configs.LLAMA_3_1_8B, 16.06, 15.01, id="llama-3.1-8b"),
        pytest.param(configs.LLAMA_3_2_3B, 6.43, 6.43, id="llama-3.2-3b-tied"),
        pytest.param(configs.MISTRAL_7B, 14.50, 14.23, id="mistral-7b"),
        pytest.param(configs.GRANITE_8B, 16.34, 16.34, id="granite-8b-tied"),
        pytest.param(configs.INTERNLM_7B, 15.47, 14.72, id="internlm2.5-7b"),
        pytest.param(configs.GPT_OSS_20B, 13.74, 3.70, id="gpt-oss-20b-mxfp4"),
    ],
)
def test_bytes_of_weights(tmp_path: Path, config: dict[str, Any], total: float, read: float) -> None:
    found = weights(config, tmp_path)
    assert found.total / 1e9 == pytest.approx(total, rel=0.004)
    assert found.read_per_token / 1e9 == pytest.approx(read, rel=0.004)


@pytest.mark.parametrize(
    ("config", "kib"),
    [
        (configs.QWEN_14B_AWQ, 192),
        (configs.QWEN_7B, 56),
        (configs.QWEN_32B, 256),
        (configs.LLAMA_3_1_8B, 128),
        (configs.LLAMA_3_2_3B, 112),
        (configs.GRANITE_8B, 160),
        ({"n_layer": 52, "n_head": 48, "n_embd": 6144, "multi_query": True}, 26),  # Granite-20b-functioncalling
        (
            {  # Jamba 1.5 Mini: attention in 4 of 32 layers
                "num_hidden_layers": 32,
                "hidden_size": 4096,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "attn_layer_period": 8,
                "attn_layer_offset": 4,
            },
            16,
        ),
    ],
)
def test_bytes_of_kv_cache(config: dict[str, Any], kib: int) -> None:
    assert model_shape.from_config(config).kv_cache().bytes_at(1) == kib * KIB


def test_a_kv_cache_in_fp8_takes_half() -> None:
    shape = model_shape.from_config(configs.QWEN_14B_AWQ)
    assert shape.kv_cache(model_shape.kv_dtype_bytes({"kv-cache-dtype": "fp8"})).bytes_at(1) == 96 * KIB
    assert shape.kv_cache(model_shape.kv_dtype_bytes({"kv-cache-dtype": "fp8_inc"})).bytes_at(1) == 96 * KIB
    assert shape.kv_cache(model_shape.kv_dtype_bytes({"kv-cache-dtype": "auto"})).bytes_at(1) == 192 * KIB


def test_layers_with_a_sliding_window_stop_growing() -> None:
    kv_cache = model_shape.from_config(configs.GPT_OSS_20B).kv_cache()
    assert kv_cache.bytes_at(1) == 48 * KIB
    assert kv_cache.bytes_at(10_000) == 10_000 * 24 * KIB + 3 * MIB


def test_a_window_holds_what_is_in_flight_too() -> None:
    kv_cache = model_shape.from_config(configs.GPT_OSS_20B).kv_cache().admitted(2048)
    assert kv_cache.window == 2192  # 127 + 2048 tokens are 136 blocks of 16, and one for where the window begins
    assert kv_cache.bytes_at(10_000) == (10_000 + 2192) * 24 * KIB
    whole = model_shape.from_config(configs.LLAMA_3_1_8B).kv_cache()
    assert whole.admitted(2048) == whole


@pytest.mark.parametrize(
    ("tensor_parallel", "pipeline_parallel", "kib"), [(1, 1, 192), (2, 1, 96), (8, 1, 24), (16, 1, 24), (2, 2, 48)]
)
def test_gpus_share_heads_and_layers_of_the_kv_cache(tensor_parallel: int, pipeline_parallel: int, kib: int) -> None:
    shape = model_shape.from_config(configs.QWEN_14B_AWQ)  # 8 heads, of which each GPU has one at least
    assert shape.kv_cache(None, tensor_parallel, pipeline_parallel).bytes_at(1) == kib * KIB


def test_a_single_head_is_on_every_gpu() -> None:
    shape = model_shape.from_config({"n_layer": 52, "n_head": 48, "n_embd": 6144, "multi_query": True})
    assert shape.kv_cache(None, 4).bytes_at(1) == 26 * KIB


def test_the_state_of_recurrent_layers_does_not_grow() -> None:
    shape = model_shape.from_profile(
        {"architecture": {"layers": 4, "kv_heads": 8, "head_dimension": 128, "state_bytes": 16 * MIB}}
    )
    assert shape.kv_cache().bytes_at(1000) == 16 * MIB + 1000 * 16 * KIB
    assert shape.kv_cache().tokens_in(8 * MIB) == 0


@pytest.mark.parametrize(
    ("said", "layers"),
    [
        ({"sliding_window": 4096}, 32),
        ({"sliding_window": 4096, "use_sliding_window": False}, 0),
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 28}, 4),
        ({"sliding_window": None}, 0),
        ({"sliding_window": 4096, "layer_types": ["full_attention"] * 32}, 0),
    ],
)
def test_how_a_config_names_the_window(said: dict[str, Any], layers: int) -> None:
    assert model_shape.from_config({**configs.MISTRAL_7B, **said}).sliding_layers == layers


def test_the_roofline_of_the_reference_node(tmp_path: Path) -> None:
    read = weights(configs.QWEN_14B_AWQ, tmp_path).read_per_token
    kv_cache = model_shape.from_config(configs.QWEN_14B_AWQ).kv_cache()

    def roofline(context: int) -> float:
        return Roofline(REFERENCE_BANDWIDTH, read, kv_cache.bytes_at(context)).tokens_per_second

    assert roofline(0) == pytest.approx(33.2, abs=0.1)
    assert roofline(2048) == pytest.approx(31.8, abs=0.1)
    assert roofline(19_000) == pytest.approx(23.0, abs=0.1)
    assert Roofline(REFERENCE_BANDWIDTH, read, 0).efficiency(3.2) == pytest.approx(0.096, abs=0.001)


def test_the_kv_pool_of_the_reference_node(tmp_path: Path) -> None:
    total = weights(configs.QWEN_14B_AWQ, tmp_path).total
    kv_cache = model_shape.from_config(configs.QWEN_14B_AWQ).kv_cache()
    assert kv_cache.bytes_at(23_232) / GIB == pytest.approx(4.254, abs=0.001)
    for memory, overhead, low, high in ((20.0, 0.6, 49_000, 50_500), (19.67, 1.5, 42_500, 44_500)):
        pool = KvPool(memory * GIB, 0.95, total, overhead * GIB)
        assert low <= pool.largest_context(kv_cache) <= high
        assert pool.largest_context(kv_cache) % 16 == 0
        assert 1.8 <= pool.requests_at_once(kv_cache, 23_232) <= 2.2


def test_a_pool_that_does_not_hold_the_weights_is_empty() -> None:
    pool = KvPool(8 * GIB, 0.9, 9 * GIB, GIB)
    assert pool.bytes == 0 and pool.largest_context(KvCache(1000)) == 0


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 4096),
    st.integers(0, 10**11),
    st.sampled_from([16, 128]),
    st.integers(0, 10**6),
)
def test_the_largest_context_fits_and_one_block_more_does_not(
    full: int, sliding: int, window: int, memory: int, block: int, state: int
) -> None:
    kv_cache = KvCache(full, sliding, window, state)
    if not full and (not sliding or memory - state >= sliding * window):
        with pytest.raises(SizingError):
            kv_cache.tokens_in(memory, block)
        return
    tokens = kv_cache.tokens_in(memory, block)
    assert tokens % block == 0 and (not tokens or kv_cache.bytes_at(tokens) <= memory)
    assert kv_cache.bytes_at(tokens + block) > memory


def test_what_is_unquantised_takes_the_size_it_is_loaded_with(tmp_path: Path) -> None:
    config = configs.LLAMA_3_2_3B
    tensors = decoder_tensors.tensors(config)
    shape = model_shape.from_config(config)
    assert checkpoint.weights(tensors, shape, 4).total == 2 * checkpoint.weights(tensors, shape).total


def test_a_tied_head_that_is_stored_twice_counts_once() -> None:
    shape = model_shape.from_config(configs.LLAMA_3_2_3B)
    tensors = decoder_tensors.tensors(configs.LLAMA_3_2_3B)
    head = checkpoint.Tensor("lm_head.weight", "BF16", (128256, 3072), 128256 * 3072 * 2)
    assert checkpoint.weights([*tensors, head], shape) == checkpoint.weights(tensors, shape)


def test_what_is_not_text_is_in_memory_but_not_read() -> None:
    shape = model_shape.from_config(configs.LLAMA_3_1_8B)
    tensors = decoder_tensors.tensors(configs.LLAMA_3_1_8B)
    tower = checkpoint.Tensor("audio_tower.layers.0.fc1.weight", "BF16", (1000, 1000), 2_000_000)
    alone, both = checkpoint.weights(tensors, shape), checkpoint.weights([*tensors, tower], shape)
    assert (both.total - alone.total, both.read_per_token - alone.read_per_token) == (2_000_000, 0)


def test_architectures_that_are_not_covered_are_refused() -> None:
    with pytest.raises(SizingError, match="multi-head latent"):
        model_shape.from_config({**configs.MISTRAL_7B, "kv_lora_rank": 512})
    with pytest.raises(SizingError, match="jamba"):
        decoder_tensors.tensors({"model_type": "jamba"})
    with pytest.raises(SizingError, match="bitsandbytes"):
        decoder_tensors.tensors({**configs.MISTRAL_7B, "quantization_config": {"quant_method": "bitsandbytes"}})
    with pytest.raises(SizingError, match="names no layers"):
        model_shape.from_config({})


PROFILE = {
    "architecture": {
        "layers": 24,
        "kv_heads": 8,
        "head_dimension": 64,
        "experts": {"total": 32, "active": 4},
        "sliding_window": {"tokens": 128, "layers": 12},
    },
    "bytes": {"read_per_token": 3_700_000_000},
}


def test_a_profile_says_the_same_as_the_config() -> None:
    from_profile, from_config = model_shape.from_profile(PROFILE), model_shape.from_config(configs.GPT_OSS_20B)
    assert from_profile.kv_cache() == from_config.kv_cache()
    assert from_profile.active_fraction == from_config.active_fraction == 1 / 8
    with pytest.raises(SizingError, match="lacks kv_heads, head_dimension"):
        model_shape.from_profile({"architecture": {"layers": 2}})


def test_where_the_cost_of_a_token_comes_from(tmp_path: Path) -> None:
    config = configs.MISTRAL_7B
    folder = write_model(tmp_path / "model", config, decoder_tensors.tensors(config))
    said = token_cost(bytes_per_token=5.0, kv_bytes_per_token=2.0, model_path=str(folder), profile=PROFILE)
    read = token_cost(model_path=str(folder), profile=PROFILE)
    known = token_cost(profile=PROFILE)
    assert said and read and known
    assert (said.weight_source, said.kv_source) == ("option bytes_per_token", "option kv_bytes_per_token")
    assert (read.weight_source, read.kv_source) == ("safetensors headers", "config.json")
    assert (known.weight_source, known.kv_source) == ("profile", "profile")
    assert read.weight_bytes == pytest.approx(14.23e9, rel=0.004)
    assert token_cost(profile={"summary": "x"}) is None
    (folder / "model.safetensors").unlink()
    computed = token_cost(model_path=str(folder))
    assert computed and computed.weight_source == "computed from config.json"
    assert computed.weight_bytes == read.weight_bytes
