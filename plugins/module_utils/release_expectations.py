# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each release of vLLM does where releases differ, so that a probe expects what this one can do.

Sources: vLLM's own code of 0.9.2 to 0.33.0 (serving_chat.py, later tool_calls_utils.py, api_utils.py, renderers/
params.py), and 0.32.0 as it runs. Where the release that brought a change was not read, the releases between the
last old and the first new one may do either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Release = tuple[int, int, int]

_OLDEST: Release = (0, 9, 0)


def _rows(*rows: tuple[Release, tuple[str, ...]]) -> tuple[tuple[Release, frozenset[str]], ...]:
    return tuple((since, frozenset(values)) for since, values in rows)


# question -> the release from which on an answer holds, and what may be seen there.
_TABLE: dict[str, tuple[tuple[Release, frozenset[str]], ...]] = {
    "finish_reason, auto, plain": _rows((_OLDEST, ("tool_calls",))),
    "finish_reason, auto, streamed": _rows((_OLDEST, ("tool_calls",))),
    "finish_reason, required, plain": _rows((_OLDEST, ("stop",)), ((0, 11, 1), ("tool_calls",))),
    "finish_reason, required, streamed": _rows((_OLDEST, ("stop", "tool_calls")), ((0, 10, 2), ("tool_calls",))),
    # As OpenAI does: who names the tool knows that it was called.
    "finish_reason, named, plain": _rows((_OLDEST, ("stop",))),
    "finish_reason, named, streamed": _rows(
        (_OLDEST, ("stop",)), ((0, 10, 2), ("stop", "tool_calls")), ((0, 11, 1), ("stop",))
    ),
    # A call that max_tokens cut (vllm#53269).
    "finish_reason, cut": _rows((_OLDEST, ("tool_calls", "length")), ((0, 31, 0), ("length",))),
    # prompt + max_tokens beyond the context, and max_tokens alone beyond it.
    "max_tokens, too many with the prompt": _rows(
        (_OLDEST, ("refused",)), ((0, 28, 1), ("refused", "clamped")), ((0, 32, 0), ("clamped",))
    ),
    "max_tokens, too many alone": _rows((_OLDEST, ("refused",))),
    "parallel_tool_calls=false": _rows((_OLDEST, ("ignored", "one call")), ((0, 12, 0), ("one call",))),
    # The Host header that gets past the key (CVE-2026-48746).
    "crafted host header": _rows((_OLDEST, ("admitted", "refused")), ((0, 25, 1), ("refused",))),
}

# What servers other than vLLM do besides.
_ELSEWHERE: dict[str, frozenset[str]] = {
    "finish_reason, named, plain": frozenset({"tool_calls"}),
    "max_tokens, too many alone": frozenset({"clamped"}),
}


@dataclass(frozen=True)
class Accepted:
    """``right``: what this release does. ``known``: what any server does, so that a client can live with it."""

    right: frozenset[str]
    known: frozenset[str]


class Expectations:
    """The table, seen from one server. A server whose release is unknown may do what any known one does."""

    def __init__(self, version: str | None) -> None:
        release = parse_release(version)
        self.release = release if release and release >= _OLDEST else None

    def accepted(self, question: str) -> Accepted:
        """KeyError for a question that the table does not hold."""
        rows = _TABLE[question]
        known = _ELSEWHERE.get(question, frozenset()).union(*(values for _since, values in rows))
        if self.release is None:
            return Accepted(known, known)
        return Accepted([values for since, values in rows if since <= self.release][-1], known)

    def finish_reason(self, kind: str, mode: str) -> Accepted:
        """Of an answer with calls; ``kind`` is auto, required or named, ``mode`` plain or streamed."""
        return self.accepted(f"finish_reason, {kind}, {mode}")


def parse_release(version: str | None) -> Release | None:
    """(0, 32, 0) for 0.32.0, 0.32.0+cpu, 0.32.0rc1.dev3 and 0.32; None for what is no number, or none of a release."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version or "")
    if found is None:
        return None
    release = int(found[1]), int(found[2]), int(found[3] or 0)
    # Builds without tags call themselves 0.1.dev…, and no release has been called by two numbers.
    return release if found[3] or release >= _OLDEST else None
