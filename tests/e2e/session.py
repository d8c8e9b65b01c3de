# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent has done, as it has recorded it itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolUse:
    """One call. ``status``: in the agent's own words."""

    tool: str
    status: str
    input: dict[str, Any]
    output: str


@dataclass(frozen=True)
class Session:
    """``error``: what the server or the agent said, empty where nothing went wrong; the rest is the agent's record."""

    uses: tuple[ToolUse, ...]
    texts: tuple[str, ...]
    error: str
