# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.throttle_reasons import throttle_reasons


@pytest.mark.parametrize(
    ("bits", "reasons"),
    [
        (0, []),
        (0x1, ["gpu_idle"]),
        (0x4, ["sw_power_cap"]),
        (0x68, ["hw_slowdown", "sw_thermal_slowdown", "hw_thermal_slowdown"]),
        (0x80, ["hw_power_brake_slowdown"]),
        (0x1001, ["gpu_idle", "0x1000"]),
        (2**63, ["0x8000000000000000"]),
    ],
)
def test_each_bit_has_a_name(bits: int, reasons: list[str]) -> None:
    assert throttle_reasons(bits) == reasons
