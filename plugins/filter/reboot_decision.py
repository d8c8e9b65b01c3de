# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.module_utils.reboot_decision import Boot, decide


def reboot_decision(
    reasons: Sequence[str],
    policy: str,
    setting: str,
    connection: str,
    facts: Mapping[str, Any],
    controller_machine_id: str | None = None,
    next_kernel: str | None = None,
    kernels_with_module: Collection[str] | None = None,
) -> dict[str, str]:
    try:
        return decide(
            reasons,
            policy=policy,
            setting=setting,
            connection=connection,
            facts=facts,
            controller_machine_id=controller_machine_id,
            boot=Boot(next_kernel, kernels_with_module),
        ).as_dict()
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"reboot_decision": reboot_decision}
