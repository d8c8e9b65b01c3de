# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import apt_simulation


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unplanned_removals": apt_simulation.unplanned}
