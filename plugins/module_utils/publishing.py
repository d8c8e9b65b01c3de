# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the API may and can be published at an address and port of the node."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_exposure import SAFE_RELEASE
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release

_PORTS = range(1, 65536)
# What ss and docker ps write for "on every address"; with * a socket takes IPv4 and IPv6.
_EVERYWHERE = ("0.0.0.0", "*")
_DOCKER_PROXY = "docker-proxy"


@dataclass(frozen=True)
class _Listener:
    address: str
    who: str
    process: str = ""


def address_problems(
    address: str, own_addresses: Iterable[str], *, key: bool, allow_unauthenticated: bool, release: str
) -> list[str]:
    """Reasons not to publish there.

    :param own_addresses: the IPv4 addresses of the node.
    :param key: clients have to send one.
    :param allow_unauthenticated: the user's consent to an API that is open to whoever reaches the address.
    """
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return [
            f"gpunode_listen_address is {address!r}, which is no IPv4 address. The API is published on IPv4 addresses "
            "only, not on names. Set it to 127.0.0.1 (and use an SSH tunnel) or to an address of this node."
        ]
    if parsed.is_loopback:
        return []
    problems = []
    own = sorted(own_addresses)
    if not parsed.is_unspecified and address not in own:
        problems.append(
            f"gpunode_listen_address is {address}, which this node does not have (it has {', '.join(own) or 'none'}). "
            "Docker could not publish the API there. Set it to 127.0.0.1 or to one of these."
        )
    if not key and not allow_unauthenticated:
        problems.append(
            f"gpunode_listen_address is {address} and gpunode_api_key is not set. Everybody who reaches this node "
            "could use the model, for ports that Docker publishes pass by ufw. Set gpunode_api_key (ansible-vault "
            "encrypt_string), publish on 127.0.0.1, or say gpunode_allow_unauthenticated: true if that is meant."
        )
    known = parse_release(release)
    if known is not None and known < SAFE_RELEASE:
        problems.append(
            f"vllm_release is {release} and gpunode_listen_address is {address}. Releases below "
            f"{'.'.join(map(str, SAFE_RELEASE))} must not be reachable from outside, even with a key: a crafted Host "
            "header passes by the key up to 0.20.2 (CVE-2026-48746), and requests can stop the server up to 0.31 "
            "(CVE-2026-115911). Raise vllm_release, or publish on 127.0.0.1."
        )
    return problems


def port_problems(address: str, port: int, sockets: str, published: str, own_container: str) -> list[str]:
    """Who already listens at this address and port, or on all addresses; other addresses are no concern.

    :param sockets: what ``ss --no-header --listening --tcp --numeric --processes`` prints.
    :param published: lines of a container's name, a tab, and its ports as ``docker ps`` prints them.
    :param own_container: the container that may listen there: the one that this is about.
    """
    if port not in _PORTS:
        return [f"gpunode_listen_port is {port}, which is no port. Set it to a number from 1 to 65535, such as 8000."]
    containers = _containers(published, port)
    own = {address for name, addresses in containers.items() if name == own_container for address in addresses}
    others = [
        _Listener(at, f"the container {name}")
        for name, addresses in containers.items()
        if name != own_container
        for at in addresses
    ]
    # Docker's proxy holds the socket for a container that has been told already.
    proxied = own | {other.address for other in others}
    others += [
        found
        for found in _listeners(sockets, port)
        if not (found.address in proxied and (found.process == _DOCKER_PROXY or not found.process))
    ]
    taken = [other for other in others if _same(other.address, address)]
    if not taken:
        return []
    by = " and ".join(dict.fromkeys(f"{other.who} ({other.address}:{port})" for other in taken))
    return [
        f"Port {port} of this node is in use already, by {by}. The API could not be published at {address}:{port}. "
        "Stop that, or set gpunode_listen_port to another port."
    ]


def _same(listens: str, wanted: str) -> bool:
    return listens == wanted or listens in _EVERYWHERE or (wanted in _EVERYWHERE and ":" not in listens)


def _listeners(sockets: str, port: int) -> list[_Listener]:
    """State, queues, local address:port, peer, and the processes where ss may see them."""
    found = []
    for line in sockets.splitlines():
        fields = line.split(None, 5)
        if len(fields) < 4:
            continue
        address, _colon, number = fields[3].rpartition(":")
        if number != str(port):
            continue
        process = re.search(r'"([^"]+)",pid=(\d+)', line)
        who = f"{process[1]} (pid {process[2]})" if process else "a process that ss does not name"
        found.append(_Listener(address.strip("[]").partition("%")[0], who, process[1] if process else ""))
    return found


def _containers(published: str, port: int) -> Mapping[str, list[str]]:
    """The addresses at which each container publishes this port."""
    found: dict[str, list[str]] = {}
    for line in published.splitlines():
        name, _tab, ports = line.partition("\t")
        addresses = [
            address.strip("[]")
            for address, first, last in re.findall(r"(\S+):(\d+)(?:-(\d+))?->", ports)
            if int(first) <= port <= int(last or first)
        ]
        if addresses:
            found[name] = addresses
    return found
