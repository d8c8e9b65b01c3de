# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One bench at a time builds: layers of `make test` run side by side, and so may two clones."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from . import CACHE
from .console import say


@contextmanager
def only_one() -> Iterator[None]:
    """Wait for whoever builds at the moment; a process that dies lets go by itself."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("==> Waiting for another run of the bench that builds")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
