# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The most tokens per second that one request can get: memory bandwidth by bytes read for each token.

A decoding step reads every active weight and the KV cache of the whole context once, and does little else, so that
the memory sets the pace. A step also takes time that no memory explains: scheduling, launching kernels, sampling,
turning tokens into text, HTTP. Where reading is quick, that part decides, and the roofline says nothing about the
health of a server.
"""

from __future__ import annotations

from dataclasses import dataclass

# Seconds. vLLM 0.32 with a model of 1.3 million parameters, where reading takes no time, needs 2.7 ms for a token
# on a CPU (its own figures); a GPU saves nothing of it but the arithmetic.
STEP_OVERHEAD = 0.0025


@dataclass(frozen=True)
class Roofline:
    """Bandwidth in bytes per second; bytes read for one token: weights, and KV cache at the context."""

    memory_bandwidth: float
    weight_bytes: float
    kv_bytes: float

    @property
    def seconds_per_token(self) -> float:
        """The least that a decoding step of one request can take."""
        return (self.weight_bytes + self.kv_bytes) / self.memory_bandwidth

    @property
    def tokens_per_second(self) -> float:
        """What no server can exceed."""
        return 1 / self.seconds_per_token

    def efficiency(self, tokens_per_second: float) -> float:
        """The measured speed as a part of the possible one."""
        return tokens_per_second * self.seconds_per_token

    def healthy_efficiency(self, step_overhead: float = STEP_OVERHEAD) -> float:
        """What a server reaches that does everything right and spends ``step_overhead`` seconds a token besides."""
        return self.seconds_per_token / (self.seconds_per_token + step_overhead)
