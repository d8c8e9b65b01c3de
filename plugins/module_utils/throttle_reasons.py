# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps the clocks of a GPU down: the bits that NVML and nvidia-smi report, by the names of nvidia-smi."""

from __future__ import annotations

IDLE = "gpu_idle"
_REASONS = {
    0x1: IDLE,
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clocks_setting",
    0x200: "board_limit",
    0x400: "reliability",
}


def throttle_reasons(bits: int) -> list[str]:
    """The names of the bits that are set; a bit without a name appears as its number."""
    set_bits = (1 << position for position in range(bits.bit_length()) if bits >> position & 1)
    return [_REASONS.get(bit, hex(bit)) for bit in set_bits]
