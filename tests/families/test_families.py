# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The right parser passes; a wrong one fails, and the cause names the markup and the right parser."""

from __future__ import annotations

import pytest

from .serving import Server
from .setups import RIGHT, Setup


@pytest.mark.parametrize("setup", RIGHT, ids=lambda setup: setup.name)
def test_a_familys_own_parser_passes(setup: Setup, servers: dict[str, Server]) -> None:
    found = servers[setup.name].check()
    assert found["passed"], found["summary"]
