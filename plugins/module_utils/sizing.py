# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much memory a model's KV cache takes, and how long a context fits beside the weights.

Bytes and tokens throughout. The formulas are those of vLLM: it fills what --gpu-memory-utilization leaves after
weights and overhead with blocks of KV cache, and refuses to start when one request of --max-model-len does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

GIB = 1 << 30
BLOCK_TOKENS = 16


class SizingError(ValueError):
    """What is known of the model does not suffice; the message says what is missing."""


@dataclass(frozen=True)
class KvCache:
    """Bytes of keys and values. Layers with a sliding window hold no more than ``window`` tokens; ``state`` is what
    recurrent layers (Mamba) keep of a request, whatever its length."""

    bytes_per_token: float
    sliding_bytes_per_token: float = 0.0
    window: int = 0
    state: float = 0.0

    def bytes_at(self, context: float) -> float:
        """Of one request that is ``context`` tokens long; as much is read for its next token."""
        return self.state + self.bytes_per_token * context + self.sliding_bytes_per_token * min(context, self.window)

    def admitted(self, tokens_in_flight: int, block: int = BLOCK_TOKENS) -> KvCache:
        """What vLLM reserves for a request: of a window also the tokens that are being processed, in whole blocks.

        Source: SlidingWindowSpec.max_memory_usage_bytes in v1/kv_cache_interface.py, 0.9.2 to 0.33.0.
        """
        if not self.sliding_bytes_per_token:
            return self
        return replace(self, window=(ceil((self.window - 1 + tokens_in_flight) / block) + 1) * block)

    def tokens_in(self, memory: float, block: int = BLOCK_TOKENS) -> int:
        """The longest context that fits into ``memory``, in whole blocks."""
        if self.bytes_per_token + self.sliding_bytes_per_token <= 0:
            raise SizingError("the KV cache takes no bytes per token, so that no context can be computed")
        memory = max(memory - self.state, 0)
        tokens = memory / (self.bytes_per_token + self.sliding_bytes_per_token)
        if self.sliding_bytes_per_token and tokens >= self.window:
            if not self.bytes_per_token:
                raise SizingError("every layer has a sliding window, so that memory does not limit the context")
            tokens = (memory - self.sliding_bytes_per_token * self.window) / self.bytes_per_token
        return max(int(tokens // block) * block, 0)


@dataclass(frozen=True)
class KvPool:
    """What one GPU has for its KV cache: its memory by the share that the server may use, less weights and overhead."""

    memory: float
    utilization: float
    weights: float
    overhead: float

    @property
    def bytes(self) -> float:
        """Never negative: 0 when not even the weights fit."""
        return max(self.memory * self.utilization - self.weights - self.overhead, 0.0)

    def largest_context(self, kv_cache: KvCache, block: int = BLOCK_TOKENS) -> int:
        """Tokens of the longest single request that fits (--max-model-len)."""
        return kv_cache.tokens_in(self.bytes, block)

    def requests_at_once(self, kv_cache: KvCache, context: int) -> float:
        """How many requests of this length fit together; vLLM logs it as maximum concurrency, and refuses below 1."""
        return self.bytes / kv_cache.bytes_at(context)
