# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import read_lines
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log_facts import (
    ServerFacts,
    read_facts,
    without_secrets,
)

RECORDED = Path(__file__).parent / "recorded/startup"


def facts(text: str) -> ServerFacts:
    return read_facts(read_lines(text))


def test_a_real_start_on_a_cpu() -> None:
    found = facts((RECORDED / "good.log").read_text())
    assert (found.version, found.device, found.enforce_eager) == ("0.32.0", "cpu", True)
    assert (found.kv_cache_tokens, found.max_concurrency) == (139776, 68.25)
    assert (found.auto_tool_choice, found.tool_call_parser, found.chat_template_format) == (
        True,
        "qwen_tools",
        "openai",
    )
    assert found.arguments is not None and found.arguments["max_model_len"] == 2048
    assert found.quantization_kernels == found.slow_kernels == []


def test_an_empty_log_tells_nothing() -> None:
    assert facts("") == ServerFacts()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("vLLM API server version 0.9.2", "version", "0.9.2"),
        ("Initializing a V1 LLM engine (v0.14.1) with config: device_config=cuda", "version", "0.14.1"),
        ("Initializing a V1 LLM engine (v0.14.1) with config: device_config=cuda", "device", "cuda"),
        ("GPU KV cache size: 43,008 tokens", "kv_cache_tokens", 43008),
        ("GPU + host KV cache size: 9,999 tokens, Maximum concurrency for 2 tokens per request: 3.50x",
         "kv_cache_tokens", 9999),
        ("Maximum concurrency for 23,232 tokens per request: 1.85x", "max_concurrency", 1.85),
        ("Model loading took 9.2854 GiB and 13.5 seconds", "weights_gib", 9.29),
        ("Model loading took 9.31 GiB memory and 3.1 seconds", "weights_gib", 9.31),
        ("Using Flash Attention backend on V1 engine.", "attention_backend", "Flash Attention"),
        ("Using FlexAttention backend for head_size=80 on V1 engine.", "attention_backend", "FlexAttention"),
        ("Using FLASH_ATTN attention backend out of potential backends: ['FLASH_ATTN'].", "attention_backend",
         "FLASH_ATTN"),
        ("Using XFormers backend.", "attention_backend", "XFormers"),
        ("Enforce eager set, disabling torch.compile and CUDAGraphs.", "enforce_eager", True),
        ("Initializing a V1 LLM engine (v0.9.2) with config: enforce_eager=False, x", "enforce_eager", False),
        ('"auto" tool choice has been enabled please note that while the', "auto_tool_choice", True),
        ("Detected the chat template content format to be 'string'. You can set", "chat_template_format", "string"),
    ],
)  # fmt: skip
def test_a_line_of_some_release(line: str, field: str, value: Any) -> None:
    assert getattr(facts(f"INFO 07-09 10:00:00 [x.py:1] {line}"), field) == value
    assert getattr(facts("INFO 07-09 10:00:00 [x.py:1] something else"), field) is None


FAST = (
    "The model is convertible to awq_marlin during runtime. Using awq_marlin kernel.",
    "Using MarlinLinearKernel for AWQMarlinLinearMethod",
    "Using MarlinLinearKernel for AutoAWQMarlinLinearMethod",
    "Using MarlinLinearKernel for GPTQMarlinLinearMethod",
    "Using MarlinLinearKernel for AutoGPTQLinearMethod",
    "Using MacheteLinearKernel for mixed-precision linear",
    "Using 'MARLIN' Mxfp4 MoE backend.",
)
SLOW = (
    "Detected that the model can run with awq_marlin, however you specified quantization=awq explicitly, so forcing "
    "awq. Use quantization=awq_marlin for faster inference",
    "awq quantization is not fully optimized yet. The speed can be slower than non-quantized models.",
    "Layer 'model.layers.0.mlp' is not supported by AWQMarlin. Falling back to unoptimized AWQ kernels.",
    "Layer 'x' is not supported by AutoAWQMarlin. Falling back to unoptimized AWQ kernels.",
    "Layer 'x' is not supported by AWQMoeMarlin. Falling back to Moe WNA16 kernels.",
    "Your GPU does not have native support for FP8 computation but FP8 quantization is being used.",
)


@pytest.mark.parametrize("line", FAST)
def test_kernels_for_quantised_weights(line: str) -> None:
    found = facts(f"INFO 07-09 10:00:00 [x.py:1] {line}\n" * 2)
    assert (found.quantization_kernels, found.slow_kernels) == ([line], [])


@pytest.mark.parametrize("line", SLOW)
def test_slow_kernels(line: str) -> None:
    found = facts(f"WARNING 07-09 10:00:00 [x.py:1] {line}\n" * 2)
    assert (found.quantization_kernels, found.slow_kernels) == ([], [line])


def test_arguments_that_hold_an_object() -> None:
    line = (
        "non-default args: {'model': 'x', 'api_key': ['canary-4711'], 'mode': <Mode.A: 3>, 'enable_auto_tool_choice': "
        "True, 'gpu_memory_utilization': 0.95, 'served_model_name': ['q'], 'tool_call_parser': 'it\\'s', 'port': None}"
    )
    found = facts(f"INFO 07-09 10:00:00 [utils.py:1] {line}")
    assert found.arguments == {
        "model": "x",
        "api_key": "***",
        "enable_auto_tool_choice": True,
        "gpu_memory_utilization": 0.95,
        "served_model_name": ["q"],
        "tool_call_parser": "it's",
        "port": None,
    }
    assert found.tool_call_parser == "it's" and found.auto_tool_choice is True


@pytest.mark.parametrize("value", ["'canary'", "['canary']", '"canary"'])
def test_secrets_are_taken_out(value: str) -> None:
    told = without_secrets(f"non-default args: {{'port': 1, 'api_key': {value}, 'hf_token': {value}}}")
    assert told == "non-default args: {'port': 1, 'api_key': '***', 'hf_token': '***'}"
