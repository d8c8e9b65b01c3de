# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is this client alone? What vLLM's own figures say before, during and after a measurement.

vLLM shows them at /metrics, other servers show others or none: then nothing here can be known, and callers say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils import prometheus_text
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_metrics import (
    GENERATED_TOKENS,
    KV_CACHE_USAGE,
    PREEMPTIONS,
    PREFIX_CACHE_HITS,
    PROMPT_TOKENS,
    RUNNING,
    WAITING,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.watch import Watch

POLL_SECONDS = 0.5
# The figures follow the answers at once; a server with several processes may need a moment to sum them up.
SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Load:
    """One reading. Requests at this moment, tokens and preemptions since the start, usage from 0 to 1."""

    running: float
    waiting: float
    prompt_tokens: float
    generated_tokens: float
    prefix_cache_hits: float | None
    preemptions: float | None
    kv_cache_usage: float | None

    @property
    def idle(self) -> bool:
        """Nobody is being served."""
        return self.running + self.waiting == 0


def read(client: OpenAIClient) -> Load | None:
    """The server's figures; None where it shows none."""
    try:
        metrics = prometheus_text.parse(client.get_text("/metrics"))
    except EndpointError:
        return None
    needed = [metrics.total(*names) for names in (RUNNING, WAITING, PROMPT_TOKENS, GENERATED_TOKENS)]
    running, waiting, prompt, generated = needed
    if running is None or waiting is None or prompt is None or generated is None:
        return None
    return Load(
        running,
        waiting,
        prompt,
        generated,
        prefix_cache_hits=metrics.total(*PREFIX_CACHE_HITS),
        preemptions=metrics.total(*PREEMPTIONS),
        kv_cache_usage=metrics.highest(*KV_CACHE_USAGE),
    )


def wait_until(client: OpenAIClient, seconds: float, settled: Callable[[Load], bool]) -> Load | None:
    """Read until the figures are as wanted, at most for ``seconds``; the last reading, whatever it says."""
    ends = time.monotonic() + seconds
    while True:
        load = read(client)
        if load is None or settled(load) or time.monotonic() >= ends:
            return load
        time.sleep(min(POLL_SECONDS, max(ends - time.monotonic(), 0)))


class KvCacheWatch(Watch):
    """Reads in the background, from ``with`` to its end, how full the KV cache is; ``peak`` is the fullest."""

    def __init__(self, client: OpenAIClient, seconds: float = POLL_SECONDS) -> None:
        super().__init__(self._read, seconds)
        self._client = client
        self.peak: float | None = None

    def _read(self) -> bool:
        load = read(self._client)
        if load is not None and load.kv_cache_usage is not None:
            self.peak = max(self.peak or 0.0, load.kv_cache_usage)
        return load is not None
