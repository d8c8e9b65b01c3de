# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.module_utils import serving


def vllm_arguments(
    profile: Mapping[str, Any], extra: Mapping[str, Any] | None = None, local_model: bool = False
) -> list[str]:
    try:
        return serving.arguments(profile, extra, local_model)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def vllm_argument_problems(
    profile: Mapping[str, Any], extra: Mapping[str, Any] | None = None, local_model: bool = False
) -> list[str]:
    try:
        serving.arguments(profile, extra, local_model)
    except ValueError as error:
        return [str(error)]
    return []


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"vllm_arguments": vllm_arguments, "vllm_argument_problems": vllm_argument_problems}
