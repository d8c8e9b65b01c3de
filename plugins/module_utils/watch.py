# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at something again and again in the background, while something else is measured."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_Watch = TypeVar("_Watch", bound="Watch")


class Watch:
    """Calls ``look`` every ``seconds``, from ``with`` to its end, for as long as it says that there is more to see."""

    def __init__(self, look: Callable[[], bool], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self: _Watch) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._seconds) and self._look():
            pass
