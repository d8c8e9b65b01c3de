# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``apt-get --simulate`` says that it would remove."""

from __future__ import annotations

import re
from collections.abc import Collection

_REMOVED = re.compile(r"^(?:Remv|Purg) (?P<name>\S+)", re.MULTILINE)


def removed(output: str) -> list[str]:
    """The packages that would go, sorted; named with their architecture where that is not the machine's own."""
    return sorted({line["name"] for line in _REMOVED.finditer(output)})


def unplanned(output: str, planned: Collection[str]) -> list[str]:
    """Those of them that nobody has planned to remove."""
    return [name for name in removed(output) if name not in planned]
