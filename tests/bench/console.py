# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while the bench works."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_INTERVAL_SECONDS = 5.0


class BenchError(Exception):
    """The bench cannot go on; the message says what was seen, what it means and what to do."""


def say(text: str = "") -> None:
    print(text, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step and tell how long it took."""
    say(f"==> {title}")
    start = time.monotonic()
    yield
    say(f"    done in {time.monotonic() - start:.0f} s")


class Ticker:
    """Print one progress line every few seconds, however often it is told something."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()

    def tell(self, text: str) -> None:
        if not text.strip():
            return
        now = time.monotonic()
        if now - self._last >= _INTERVAL_SECONDS:
            self._last = now
            say(f"    {now - self._start:4.0f} s  {text.strip().splitlines()[0][:100]}")


def fail(error: BenchError) -> int:
    print(f"\nERROR: {error}", file=sys.stderr, flush=True)
    return 1
