# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles give the weights, the bytes read for a token and the KV cache that were computed independently."""

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.context_plan import Asked, plan
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import from_profile

from tests.profiles import reading

# Weights and what is read of them for one token, in GB; KV cache in KiB for a token (of layers without a window).
# Computed by hand from parameter counts: linear parts in their stored precision, the head once, of experts the active.
TABLE = {
    "qwen2.5-14b-instruct-awq": (9.98, 8.42, 192),
    "gpt-oss-20b": (13.74, 3.70, 24),
    "llama-3.1-8b-instruct": (16.06, 15.01, 128),
    "hermes-3-llama-3.1-8b": (16.06, 15.01, 128),
    "toolace-8b": (16.06, 15.01, 128),
    "mistral-7b-instruct-v0.3": (14.50, 14.23, 128),
    "granite-3.1-8b-instruct": (16.34, 16.34, 160),
    "llama-3.2-3b-instruct": (6.43, 6.43, 112),
    "internlm2.5-7b-chat": (15.47, 14.72, 128),
    "granite-20b-functioncalling": (40.1, 39.5, 26),
    "jamba-1.5-mini": (103.0, None, 16),
    "qwen2.5-7b-instruct": (15.2, 14.1, 56),
    "qwen2.5-14b-instruct": (29.5, 28.0, 192),
    "qwen2.5-32b-instruct": (65.5, 64.0, 256),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_row(name: str) -> None:
    weights, read, kib = TABLE[name]
    profile = reading.read(name)
    assert profile["bytes"]["checkpoint"] / 1e9 == pytest.approx(weights, rel=0.02)
    if read is not None:  # of Jamba's Mamba layers nobody has said it
        assert profile["bytes"]["read_per_token"] / 1e9 == pytest.approx(read, rel=0.02)
    assert from_profile(profile).kv_cache().bytes_per_token / 1024 == pytest.approx(kib, rel=0.02)


def test_the_published_context_of_the_reference_node() -> None:
    """23,232 tokens are whole blocks and take 4.254 GiB; in fp8 half of it."""
    shape = from_profile(reading.read("qwen2.5-14b-instruct-awq"))
    assert 23232 % 16 == 0
    assert shape.kv_cache().bytes_at(23232) / 2**30 == pytest.approx(4.254, abs=0.001)
    assert shape.kv_cache(1).bytes_at(23232) / 2**30 == pytest.approx(2.127, abs=0.001)


@pytest.mark.parametrize(("release", "share"), [("0.9.2", 0.95), ("0.32.0", 0.92)])
def test_the_page_has_what_the_reference_node_computes(release: str, share: float) -> None:
    card = {"name": "it", "memory_total_bytes": 20475 << 20, "sources": {"memory_total_bytes": "nvml"}}
    asked = Asked(settings={"gpu-memory-utilization": share})
    found = plan(reading.read("qwen2.5-14b-instruct-awq"), [card], "cuda", release, asked)
    assert found.kv_cache_tokens is not None and found.profile["context"]["maximum"] == 32768
    assert f"{found.kv_cache_tokens:,}" in (reading.ROOT / "docs/sizing.md").read_text(encoding="utf-8")
