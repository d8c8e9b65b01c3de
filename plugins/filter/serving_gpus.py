# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Setup


def serving_gpus(gpu: dict[str, Any], container: dict[str, Any], profile: dict[str, Any]) -> dict[str, Any]:
    found = Setup(gpu=gpu, container=container, profile=profile).serving
    bandwidth = found.bandwidth
    return {"bandwidth": bandwidth, "bandwidth_source": found.bandwidth_source if bandwidth else ""}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"serving_gpus": serving_gpus}
