# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong and how to put it right: the form in which a diagnosis is given."""

from __future__ import annotations

from dataclasses import asdict, dataclass

CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"


@dataclass(frozen=True)
class Cause:
    """``confidence``: certain (the server said so), likely (this is what it looks like), possible (worth a look)."""

    symptom: str
    cause: str
    fix: str
    confidence: str

    def as_dict(self) -> dict[str, str]:
        """For return values and evidence files."""
        return asdict(self)
