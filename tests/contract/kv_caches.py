# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a context fits into so many bytes: our arithmetic against that of a release, for every profile."""

from __future__ import annotations

from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import from_profile
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB

from tests.profiles import reading

_MEMORY = 3 * GIB
_TOKENS_IN_FLIGHT = 2048


def cases() -> dict[str, dict[str, int]]:
    """What the driver needs to know of each model; recurrent layers are none of its specs for attention."""
    found = {}
    for name in reading.names():
        profile = reading.read(name)
        if "architecture" in profile and "state_bytes" not in profile["architecture"]:
            shape = from_profile(profile)
            found[name] = {
                "layers": shape.layers,
                "sliding_layers": shape.sliding_layers,
                "window": shape.window or 1,
                "kv_heads": shape.kv_heads,
                "head_dimension": shape.head_dimension,
                "memory": _MEMORY,
                "tokens_in_flight": _TOKENS_IN_FLIGHT,
            }
    return found


def problems(answer: dict[str, Any]) -> dict[str, str | None]:
    """Where the release says otherwise."""
    ours = {
        name: from_profile(reading.read(name)).kv_cache().admitted(_TOKENS_IN_FLIGHT).tokens_in(_MEMORY)
        for name in cases()
    }
    return {
        name: None if answer[name] == tokens else f"{answer[name]} tokens fit there, and {tokens} by our arithmetic"
        for name, tokens in ours.items()
    }
