# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients whose file is JSON: what is laid into it, and what only fills its gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import client_opencode
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_facts import ClientFacts

Pair = tuple[dict[str, Any], dict[str, Any]]

SETTINGS: Mapping[str, Callable[[ClientFacts], Pair]] = {
    "opencode": lambda facts: (client_opencode.settings(facts), client_opencode.defaults(facts)),
}
