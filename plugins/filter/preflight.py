# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    gpu_fit,
    misspelt_settings,
    model_repository,
    node_capacity,
    publishing,
    reasons_to_stop,
)


def fit(
    gpus: Sequence[Mapping[str, Any]],
    profile: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    release: str = "",
    image: str = "",
) -> dict[str, list[str]]:
    return gpu_fit.fit(gpus, profile, extra or {}, release, image).as_dict()


def listen_address_problems(
    address: str,
    own_addresses: Sequence[str],
    key: bool = False,
    allow_unauthenticated: bool = False,
    release: str = "",
) -> list[str]:
    return publishing.address_problems(
        str(address), own_addresses, key=key, allow_unauthenticated=allow_unauthenticated, release=release
    )


def numbered_reasons(reasons: Sequence[str], outcome: str = reasons_to_stop.UNCHANGED) -> str:
    if isinstance(reasons, str) or not isinstance(reasons, Sequence):
        raise AnsibleFilterError("numbered_reasons takes a list of strings")
    return reasons_to_stop.numbered(reasons, outcome)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "disk_shortages": node_capacity.disk_shortages,
            "gpu_fit": fit,
            "listen_address_problems": listen_address_problems,
            "listen_port_problems": publishing.port_problems,
            "memory_shortages": node_capacity.memory_shortages,
            "misspelt_settings": misspelt_settings.misspelt,
            "model_settings_problems": model_repository.settings_problems,
            "numbered_reasons": numbered_reasons,
        }
