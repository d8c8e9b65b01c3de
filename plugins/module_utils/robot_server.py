# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the server that Robot has under a number is the one that the inventory means, and how it is to be reset."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import robot_errors


def problems(servers: Sequence[Mapping[str, Any]], number: int, host: str, addresses: Sequence[str]) -> list[str]:
    """Reasons not to touch the server.

    :param servers: what Robot says of that number; nothing where it does not know it.
    :param host: where the inventory leads SSH to.
    :param addresses: the IP addresses of that host.
    """
    if not servers:
        return [robot_errors.meaning("SERVER_NOT_FOUND", number)]
    server = servers[0]
    found = []
    if not any(_belongs(server, address) for address in addresses):
        shown = f"{host} ({', '.join(addresses)})" if list(addresses) not in ([], [host]) else host
        found.append(
            f"The inventory leads to {shown}, but server {number} has {_own(server)}. One of the two is wrong: the "
            "server that is erased has to be the one that is meant. The rescue system answers at the server's own "
            "addresses only. Correct ansible_host or hetzner_bootstrap_server_number."
        )
    if server.get("status") not in (None, "ready"):
        found.append(f"Robot says of server {number}: {server['status']}. Wait until it is ready.")
    return found


def reset_type(wanted: str, offered: Sequence[str], answers: bool) -> str:
    """The kind of reset: ``software``, ``hardware``, or nothing where the server has not the one that is wanted.

    :param wanted: ``auto`` presses Ctrl+Alt+Del where a system runs that can heed it, and the reset button otherwise.
    :param offered: the kinds that the server has.
    :param answers: whether its system answers.
    """
    choice = [wanted] if wanted != "auto" else ["software", "hardware"] if answers else ["hardware"]
    return next((kind for kind in choice if kind in offered), "")


def _belongs(server: Mapping[str, Any], address: str) -> bool:
    try:
        wanted = ipaddress.ip_address(address.partition("%")[0])
        return any(wanted in network for network in _networks(server) if network.version == wanted.version)
    except ValueError:
        return False


def _networks(server: Mapping[str, Any]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    single = [server.get("server_ip"), *(server.get("ip") or [])]
    subnets = [f"{each['ip']}/{each['mask']}" for each in server.get("subnet") or []]
    subnets += [f"{server['server_ipv6_net']}/64"] if server.get("server_ipv6_net") else []
    return [ipaddress.ip_network(each, strict=False) for each in [*filter(None, single), *subnets]]


def _own(server: Mapping[str, Any]) -> str:
    return " and ".join(dict.fromkeys(str(each) for each in _networks(server))).replace("/32", "") or "no address"
