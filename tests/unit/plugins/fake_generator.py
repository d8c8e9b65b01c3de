# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in that generates text at a given pace, and counts as vLLM does at /metrics; faults are its fields."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import (
    DONE,
    EndpointHandler,
    FakeEndpoint,
    Refusal,
    sse,
)

PROMPT_TOKENS = ("prompt_tokens_total", "generation_tokens_total", "prefix_cache_hits_total", "num_preemptions_total")


@dataclass
class FakeGenerator(FakeEndpoint):
    """One token for each character of a prompt; tokens in chunks of ``tokens_per_chunk``."""

    seconds_per_token: float = 0.001
    tokens_per_chunk: int = 1
    most_tokens: int | None = None  # ends every answer there
    with_usage: bool = True
    with_metrics: bool = True
    running: float = 0.0  # requests of others
    foreign_tokens: int = 0  # that others let it generate during each of our requests
    foreign_prompt_tokens: int = 0
    uncounted: bool = False  # the figures are those of another server
    cached_part: float = 0.0  # of each prompt, from the prefix cache
    preemptions: int = 0  # at each request among others
    buffered: bool = False  # a proxy that passes the stream on in one piece
    dies_after: int | None = None  # chunks, from the third request on (the first two warm up)
    refuses_at_once: int | None = None  # as many requests as that at the same time are too many
    counters: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PROMPT_TOKENS, 0.0))
    at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def handler(self) -> type[EndpointHandler]:
        return _GeneratorHandler

    def generate(self, request: dict[str, Any]) -> Iterator[bytes]:
        """The packets of one answer."""
        asked = len(request["prompt"])
        tokens = min(request["max_tokens"], self.most_tokens or request["max_tokens"])
        events: list[bytes] = []
        for start in range(0, tokens, self.tokens_per_chunk):
            if start and not self.buffered:
                time.sleep(self.seconds_per_token * self.tokens_per_chunk)
            if self.dies_after is not None and len(self.requests) > 2 and start >= self.dies_after:
                self.cut = True
                return
            last = start + self.tokens_per_chunk >= tokens
            text = "x" * min(self.tokens_per_chunk, tokens - start)
            choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "length" if last else None}
            event = sse({"id": "cmpl-1", "object": "text_completion", "model": "pocket", "choices": [choice]})
            if self.buffered:
                events.append(event)
            else:
                yield event
        self.count(asked, tokens)
        usage = {"prompt_tokens": asked, "total_tokens": asked + tokens, "completion_tokens": tokens}
        if self.with_usage:
            events.append(sse({"id": "cmpl-1", "object": "text_completion", "choices": [], "usage": usage}))
        yield b"".join([*events, DONE])

    def count(self, asked: int, tokens: int) -> None:
        """What /metrics will show."""
        if self.uncounted:
            return
        with self.lock:
            self.counters["prompt_tokens_total"] += asked + self.foreign_prompt_tokens
            self.counters["generation_tokens_total"] += tokens + self.foreign_tokens
            self.counters["prefix_cache_hits_total"] += int(asked * self.cached_part)
            self.counters["num_preemptions_total"] += self.preemptions

    def metrics(self) -> bytes:
        """In the text format of Prometheus."""
        figures = {**self.counters, "num_requests_running": self.running, "num_requests_waiting": 0.0}
        figures["kv_cache_usage_perc"] = 0.25
        return "".join(
            f'vllm:{name}{{engine="0",model_name="pocket"}} {value}\n' for name, value in figures.items()
        ).encode()


class _GeneratorHandler(EndpointHandler):
    endpoint: FakeGenerator

    def do_GET(self) -> None:
        if self.path == "/metrics" and self.endpoint.with_metrics:
            self._send(200, "text/plain; version=0.0.4; charset=utf-8", self.endpoint.metrics())
        else:
            super().do_GET()

    def do_POST(self) -> None:
        endpoint = self.endpoint
        if self.path != "/v1/completions":
            super().do_POST()
            return
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._authorised():
            return
        with endpoint.lock:
            endpoint.requests.append(request)
            endpoint.at_once += 1
            refused = endpoint.refuses_at_once is not None and endpoint.at_once >= endpoint.refuses_at_once
        if refused:
            refusal = Refusal(500, "EngineCore encountered an issue.")
            self._json(refusal.status, refusal.body())
        else:
            self._stream(endpoint.generate(request))
        with endpoint.lock:
            endpoint.at_once -= 1
