# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import client_facts as facts
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_limits import LimitsError, agent_prompt_of
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_settings import SETTINGS, problems


def client_facts(
    endpoint: dict[str, Any], profile: dict[str, Any], clients: list[str], **chosen: Any
) -> dict[str, Any]:
    try:
        found = facts.facts(endpoint, profile, **{"agent_prompt": agent_prompt_of(clients), **chosen})
    except LimitsError as error:
        return {"problems": error.problems}
    except facts.ClientFactsError as error:
        return {"problems": [str(error)]}
    files = {name: dict(zip(("settings", "defaults"), made(found), strict=True)) for name, made in SETTINGS.items()}
    reasons = [reason for client in clients for reason in problems(client, found)]
    return {**found.as_dict(), "files": files, "problems": reasons}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"client_facts": client_facts}
