# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.module_utils import serving, serving_options


def vllm_command(
    profile: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
    release: str = serving.DEFAULT_RELEASE,
    local_model: bool = False,
    listen_address: str = "127.0.0.1",
    has_key: bool = False,
) -> dict[str, Any]:
    try:
        command = serving.command(profile, extra, release=release, local_model=local_model).as_dict()
        command["warnings"] += serving_options.published(listen_address, has_key, release)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return command


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"vllm_command": vllm_command}
