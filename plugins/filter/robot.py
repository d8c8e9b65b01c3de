# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    known_hosts,
    robot_errors,
    robot_firewall,
    robot_server,
    ssh_host_keys,
)


def missing_collections(names: Iterable[str]) -> list[str]:
    """The collections that Ansible does not find."""

    def found(name: str) -> bool:
        try:
            return find_spec(f"ansible_collections.{name}") is not None
        except ModuleNotFoundError:
            return False

    return [name for name in names if not found(name)]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "host_key_check": ssh_host_keys.judge,
            "host_key_fingerprint_problems": ssh_host_keys.fingerprint_problems,
            "host_key_fingerprints": ssh_host_keys.fingerprints,
            "host_keys": ssh_host_keys.texts,
            "known_hosts_plan": known_hosts.plan,
            "missing_collections": missing_collections,
            "rescue_host_keys": ssh_host_keys.of_rescue_system,
            "robot_failure": robot_errors.explain,
            "robot_firewall_as_it_was": robot_firewall.as_it_was,
            "robot_firewall_problems": robot_firewall.settings_problems,
            "robot_firewall_rules": robot_firewall.rules,
            "robot_reset_type": robot_server.reset_type,
            "robot_server_problems": robot_server.problems,
            "robot_ssh_keys": ssh_host_keys.public_keys,
            "ssh_target": known_hosts.target,
        }
