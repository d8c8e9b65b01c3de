# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One streamed text completion and what its timing says of the server's speed.

The definitions are those of vLLM's own benchmark, so that figures can be compared: a chunk counts from its arrival,
the tokens are those that the server counts (several of them may share a chunk), and the first token, which belongs
to the prompt's processing, is no part of the decoding speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Tokens that arrive this close together (seconds) were sent together: no model writes thousands of tokens a second.
ONE_ARRIVAL = 0.0003


@dataclass
class Completion:
    """``arrivals``: when each chunk with output came, in seconds after the request was sent."""

    arrivals: list[float] = field(default_factory=list)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None

    def add(self, chunk: Any, elapsed: float) -> None:
        """Take one chunk of the stream. ValueError when it is none."""
        if not isinstance(chunk, dict):
            raise ValueError("a chunk of the stream is not a JSON object")
        if isinstance(usage := chunk.get("usage"), dict):
            self.prompt_tokens = _count(usage, "prompt_tokens")
            self.completion_tokens = _count(usage, "completion_tokens")
        choices = chunk.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):  # the text may well be empty
            self.arrivals.append(elapsed)
            self.finish_reason = choices[0].get("finish_reason") or self.finish_reason

    @property
    def measured(self) -> bool:
        """There are tokens to divide by time; without that the figures below do not exist."""
        return (self.completion_tokens or 0) > 1 and len(self.arrivals) > 1 and self.decode_seconds > 0

    @property
    def ttft(self) -> float:
        """Time to first token: from sending the request, seconds."""
        return self.arrivals[0]

    @property
    def decode_seconds(self) -> float:
        """From the first token to the last."""
        return self.arrivals[-1] - self.arrivals[0]

    @property
    def inter_token_latency(self) -> float:
        """Mean time between two tokens, seconds."""
        return self.decode_seconds / ((self.completion_tokens or 0) - 1)

    @property
    def decode_tokens_per_second(self) -> float:
        """(completion tokens - 1) / (arrival of the last token - arrival of the first)."""
        return 1 / self.inter_token_latency

    @property
    def longest_gap(self) -> float:
        """The longest pause between two chunks, seconds."""
        return max(self._gaps(), default=0.0)

    @property
    def mean_context(self) -> float:
        """Tokens that a decoding step had to look back on, on average over the steps."""
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0) / 2

    @property
    def tokens_per_arrival(self) -> float:
        """More than a few mean that something on the way holds the stream back and passes it on in bursts."""
        moments = 1 + sum(gap > ONE_ARRIVAL for gap in self._gaps())
        return (self.completion_tokens or 0) / moments

    def _gaps(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.arrivals, self.arrivals[1:], strict=False)]


def _count(usage: dict[str, Any], key: str) -> int | None:
    value = usage.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
