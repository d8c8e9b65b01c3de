# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server has room for as many tokens as we compute from its config.json and the space that it was given."""

from __future__ import annotations

import urllib.request

from ansible_collections.toolserve.gpunode.plugins.module_utils import checkpoint, endpoint_metrics, model_shape
from ansible_collections.toolserve.gpunode.plugins.module_utils.prometheus_text import parse
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_memory import CPU_BLOCK_TOKENS

from tests.bench.server import Server
from tests.profiles import reading


def test_the_kv_cache_holds_what_was_computed(server: Server) -> None:
    vllm = reading.read("pocket")["vllm"]
    space = float(vllm["environment"]["VLLM_CPU_KVCACHE_SPACE"]) * GIB
    shape = model_shape.from_config(checkpoint.config(reading.ROOT / "tests/pocket_model/model"))
    kv_cache = shape.kv_cache(model_shape.DTYPE_BYTES[vllm["arguments"]["dtype"]])
    with urllib.request.urlopen(server.url.removesuffix("/v1") + "/metrics", timeout=60) as answer:
        found = endpoint_metrics.from_metrics(parse(answer.read().decode()))
    assert found.kv_cache_tokens == kv_cache.tokens_in(space, CPU_BLOCK_TOKENS)
