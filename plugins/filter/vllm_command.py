# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.module_utils import serving


def vllm_command(
    profile: Mapping[str, Any],
    release: str,
    extra: Mapping[str, Any] | None = None,
    local_model: bool = False,
    settings: Mapping[str, Any] | None = None,
    listen_address: str = serving.EVERYWHERE[0],
    listen_port: int = serving.EVERYWHERE[1],
) -> dict[str, Any]:
    try:
        return serving.command(profile, release, extra, local_model, settings, (listen_address, listen_port)).as_dict()
    except serving.UnusableCommandError as error:
        raise AnsibleFilterError(str(error)) from error


def vllm_command_problems(
    profile: Mapping[str, Any],
    release: str,
    extra: Mapping[str, Any] | None = None,
    local_model: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, list[str]]:
    try:
        command = serving.command(profile, release, extra, local_model, settings)
    except serving.UnusableCommandError as error:
        return {"stops": error.problems, "notes": []}
    return {"stops": [], "notes": command.warnings}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"vllm_command": vllm_command, "vllm_command_problems": vllm_command_problems}
