# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_requirement import requirement


def cuda_requirement(release: str, image: str = "") -> dict[str, Any]:
    try:
        return requirement(str(release), str(image)).as_dict()
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cuda_requirement": cuda_requirement}
