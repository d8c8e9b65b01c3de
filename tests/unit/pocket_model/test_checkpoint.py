# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed pocket model is a plain Qwen2 checkpoint: its answers can come from nowhere but its weights.

Whether those weights are right is measured by `make pocket-model-sample`, on the libraries that serve them.
"""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "pocket_model"
MODEL = FOLDER / "model"
EXPECTED_FILES = {
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


def tensors() -> dict[str, list[int]]:
    with (MODEL / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


@pytest.fixture(scope="module")
def config() -> dict:
    return json.loads((MODEL / "config.json").read_text())


def test_there_is_nothing_but_a_checkpoint():
    assert {path.name for path in MODEL.iterdir()} == EXPECTED_FILES


def test_weights_stay_small():
    assert (MODEL / "model.safetensors").stat().st_size < 4_000_000


def test_tensors_are_exactly_those_of_a_qwen2_network(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    query, key = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    expected = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        expected |= {
            f"{prefix}.input_layernorm.weight": [hidden],
            f"{prefix}.post_attention_layernorm.weight": [hidden],
            f"{prefix}.self_attn.q_proj.weight": [query, hidden],
            f"{prefix}.self_attn.q_proj.bias": [query],
            f"{prefix}.self_attn.k_proj.weight": [key, hidden],
            f"{prefix}.self_attn.k_proj.bias": [key],
            f"{prefix}.self_attn.v_proj.weight": [key, hidden],
            f"{prefix}.self_attn.v_proj.bias": [key],
            f"{prefix}.self_attn.o_proj.weight": [hidden, query],
            f"{prefix}.mlp.gate_proj.weight": [inner, hidden],
            f"{prefix}.mlp.up_proj.weight": [inner, hidden],
            f"{prefix}.mlp.down_proj.weight": [hidden, inner],
        }
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert config["tie_word_embeddings"] is True
    assert tensors() == expected


def test_the_template_of_the_model_is_the_one_beside_the_training_script():
    assert (MODEL / "chat_template.jinja").read_text() == (FOLDER / "chat_template.jinja").read_text()


def test_the_template_renders_and_never_answers():
    """It may name the markup style; calls, answers and tool names are the network's business."""
    template = (MODEL / "chat_template.jinja").read_text()
    for answer in ("<tools>{", "<tool_call>\n", '"arguments"', "It says", "Sorry", "Hello!", "filePath", "celsius"):
        assert answer not in template


def test_held_out_strings_are_never_drawn_for_training():
    shapes = _shapes()
    training, held_out = shapes.Source(shapes.TRAIN, 1), shapes.Source(shapes.HELD_OUT, 1)
    for draw in ("path", "command", "city", "output"):
        seen = {getattr(training, draw)() for _ in range(2000)}
        assert not seen & {getattr(held_out, draw)() for _ in range(2000)}, draw


def _shapes():
    spec = importlib.util.spec_from_file_location("pocket_shapes", FOLDER / "shapes.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
