# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a download in the background has come, from its systemd unit, its notes and what is on the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_GB = 10**9

# What the unit's program notes as its phase (roles/model_weights/files/download.py).
FAILED = "failed"
DONE = "done"


@dataclass(frozen=True)
class Download:
    """One look. ``running`` says that the unit works, or that systemd is about to start it again."""

    running: bool
    phase: str = ""
    message: str = ""
    total: int = 0
    present: int = 0

    @property
    def finished(self) -> bool:
        return self.phase == DONE

    @property
    def reason_to_stop(self) -> str:
        """Why waiting is no use; empty while it is."""
        if self.phase == FAILED:
            return self.message
        if not self.running and not self.finished:
            seen = f" after: {self.message}" if self.message else ""
            return (
                f"The download ended without a result{seen}. The node may have been restarted, or the unit stopped. "
                "Run the play again: what has arrived is kept."
            )
        return ""

    def describe(self, rate: float | None = None) -> str:
        """For a progress line; ``rate`` is in bytes a second."""
        if self.phase == "checking":
            return f"checking the checksums of {_gb(self.total)}"
        if self.finished:
            return f"complete, {_gb(self.total)}"
        if not self.total:
            return "starting"
        part = min(100, 100 * self.present // self.total)
        told = f"{part} % of {_gb(self.total)}"
        if rate is not None:
            told += f", {rate / 10**6:.1f} MB/s"
            if rate > 0:
                told += f", {_duration((self.total - self.present) / rate)} left"
        return f"{told}; {self.message}" if self.phase == "retrying" else told


def read(active_state: str, notes: str, present: int) -> Download:
    """:param active_state: as systemd names it. :param notes: JSON of the program, empty where there are none."""
    try:
        noted: Any = json.loads(notes) if notes else {}
    except ValueError:
        noted = {}
    noted = noted if isinstance(noted, Mapping) else {}
    return Download(
        running=active_state in ("active", "activating", "reloading", "deactivating"),
        phase=str(noted.get("phase", "")),
        message=str(noted.get("message", "")),
        total=int(noted.get("total") or 0),
        present=present,
    )


def _gb(size: int) -> str:
    return f"{size / _GB:.1f} GB" if size >= _GB // 10 else f"{size / 10**6:.1f} MB"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
