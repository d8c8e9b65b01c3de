# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who can use an endpoint: only its own node, everybody with the key, or everybody.

The address that was asked says little: a server asked at 127.0.0.1 may listen on all addresses as well. So the
kernel's own list of listeners is read where the endpoint is on this machine.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import urllib.parse
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release, parse_release

LOCAL, NETWORK = "local", "network"
# With older releases a crafted Host header passes by the key (CVE-2026-48746, up to 0.20.2), and requests of anybody
# who reaches them can stop them (CVE-2026-115911 and others, fixed in 0.32.0).
SAFE_RELEASE: Release = (0, 32, 0)
_LISTEN = "0A"


@dataclass(frozen=True)
class Exposure:
    """``scope``: local (only its own machine reaches it) or network; ``listens_on``: further addresses, if known.

    ``open_to_all``: the network reaches it and no key is asked for; None where that could not be found out.
    """

    scope: str
    open_to_all: bool | None
    listens_on: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, str | bool | list[str] | None]:
        """For return values."""
        return asdict(self)


def look(state: EndpointState) -> Exposure:
    """Who reaches the endpoint that was looked at."""
    local = is_local(state.base_url)
    listens_on = listeners(state.base_url) if local and state.reachable else []
    return judge(state, local=local, listens_on=listens_on)


def judge(state: EndpointState, *, local: bool, listens_on: Iterable[str] = ()) -> Exposure:
    """The same from what was found out: whether its address leads to this machine, and where that listens."""
    base_url, version = state.base_url, state.version
    beyond = sorted(address for address in set(listens_on) if not _loopback(address))
    scope = LOCAL if local and not beyond else NETWORK
    open_to_all = False if scope == LOCAL else None if state.auth_required is None else not state.auth_required
    warnings = []
    if open_to_all:
        where = f"It listens on {', '.join(beyond)}" if beyond else f"It answers at {base_url}"
        warnings.append(
            f"The endpoint is open to all who can reach this machine: {where} and asks for no key. Publish it on "
            "127.0.0.1 only, or give the server a key (VLLM_API_KEY)."
        )
    if scope == NETWORK and (release := parse_release(version)) and release < SAFE_RELEASE:
        warnings.append(
            f"vLLM {version} must not be reachable from the network, even with a key: a crafted Host header passes by "
            "the key up to 0.20.2 (CVE-2026-48746), and requests can stop the server up to 0.31 (CVE-2026-115911). Use "
            "0.32.0 or newer, or publish it on 127.0.0.1 only."
        )
    return Exposure(scope, open_to_all, beyond, warnings)


def is_local(base_url: str) -> bool:
    """Whether the address leads to the machine itself; a name that does not resolve leads nowhere and counts as not."""
    host = urllib.parse.urlsplit(base_url).hostname or ""
    try:
        return all(_loopback(str(entry[4][0])) for entry in socket.getaddrinfo(host, None))
    except OSError:
        return False


def listeners(base_url: str, proc: Path = Path("/proc/net")) -> list[str]:
    """The addresses of this machine on which something listens at the port of base_url; empty where unknown."""
    parts = urllib.parse.urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found: list[str] = []
    for name in ("tcp", "tcp6"):
        try:
            found += listening((proc / name).read_text(), port)
        except OSError:  # another system, or no IPv6
            continue
    return found


def listening(table: str, port: int) -> list[str]:
    """The local addresses with a listener at this port, in the format of /proc/net/tcp."""
    rows = (line.split() for line in table.split("\n")[1:])
    local = (row[1].split(":") for row in rows if len(row) > 3 and row[3] == _LISTEN)
    return [_address(address) for address, at in local if int(at, 16) == port]


def _address(text: str) -> str:
    """The kernel writes each 32 bits of an address as a number of this machine's byte order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words)))


def _loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
