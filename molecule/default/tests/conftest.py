# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two lanes: the node that serves is used by one test at a time; the others need not wait for it."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_NODES_THAT_SERVE_NOTHING = ("test_bad_inventory.py", "test_check_mode.py", "test_docker_packages.py")


class Lanes(LoadScopeScheduling):
    """Not xdist's loadgroup: its marks have no effect under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return "serve nothing" if any(name in nodeid for name in _NODES_THAT_SERVE_NOTHING) else "serve"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return Lanes(config, log)
