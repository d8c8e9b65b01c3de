# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of Robot's firewall, which knows no connections: each packet is looked at alone.

Limits are those of the web service's documentation: ten rules in each direction; the first that matches decides and
what none matches is discarded; a rule without an IP version has neither protocol nor addresses; of IPv6 neither
addresses nor ICMP can be filtered; names have few characters.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_RULES = 10
_EPHEMERAL_PORTS = "32768-65535"  # where answers to the server's own connections arrive
_FIELDS = ("name", "ip_version", "protocol", "src_ip", "dst_ip", "src_port", "dst_port", "tcp_flags", "action")
_NAME = re.compile(r"[A-Za-z0-9 .\-+_@]+")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_FLAGS = re.compile(r"(syn|fin|rst|psh|urg|ack)([|&](syn|fin|rst|psh|urg|ack))*")
_PROTOCOLS = ("tcp", "udp", "gre", "icmp", "ipip", "ah", "esp")

Rule = dict[str, str]


def rules(
    ssh_port: int,
    ports: Sequence[int] = (),
    ssh_from: Sequence[str] = (),
    ipv6: bool = True,
    more: Sequence[Mapping[str, Any]] = (),
) -> dict[str, list[Rule]]:
    """The rules that let a node be administered, serve and reach the internet.

    :param ports: the TCP ports that it serves beside SSH.
    :param ssh_from: the IPv4 networks that may come in by SSH; empty for all. IPv6 addresses cannot be told apart.
    :param ipv6: whether IPv6 is filtered.
    :param more: rules of one's own for incoming packets, tried after these.
    :return: ``input`` and ``output``, as ``community.hrobot.firewall`` takes them.
    """
    incoming = [
        {"name": "SSH", "ip_version": "ipv4", "protocol": "tcp", "src_ip": _network(source), "dst_port": str(ssh_port)}
        for source in ssh_from
    ] or [{"name": "SSH", "dst_port": str(ssh_port)}]
    incoming += [{"name": f"TCP {port}", "dst_port": str(port)} for port in dict.fromkeys(ports) if port != ssh_port]
    versions = ["ipv4", "ipv6"] if ipv6 else ["ipv4"]
    incoming += [
        {
            "name": f"Answers to own connections {version}",
            "ip_version": version,
            "protocol": "tcp",
            "dst_port": _EPHEMERAL_PORTS,
            "tcp_flags": "ack",
        }
        for version in versions
    ]
    incoming += [
        {"name": "Answers of DNS", "src_port": "53", "dst_port": _EPHEMERAL_PORTS},
        {"name": "Answers of time servers", "src_port": "123", "dst_port": _EPHEMERAL_PORTS},
        {"name": "ICMP", "ip_version": "ipv4", "protocol": "icmp"},
    ]
    own = [{name: str(value) for name, value in rule.items() if value is not None} for rule in more]
    return {
        "input": [{**rule, "action": "accept"} for rule in incoming] + own,
        "output": [{"name": "Everything", "action": "accept"}],
    }


def settings_problems(
    ports: Sequence[Any], ssh_from: Sequence[Any], ipv6: bool, more: Sequence[Mapping[str, Any]], ssh_port: int = 22
) -> list[str]:
    """What is wrong with the settings of the firewall, before Robot is asked."""
    found = [
        f"hetzner_bootstrap_firewall_ports: {port!r} is no port. It is a number from 1 to 65535."
        for port in ports
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536
    ]
    for source in ssh_from:
        problem = _network_problem(str(source))
        found += [f"hetzner_bootstrap_firewall_ssh_from: {problem}"] if problem else []
    if found:
        return found
    every = rules(ssh_port, ports, [str(source) for source in ssh_from], ipv6, more)
    return rule_problems(every["input"])


def rule_problems(given: Sequence[Mapping[str, Any]]) -> list[str]:
    """What Robot would refuse of the rules of one direction."""
    found = []
    if len(given) > MOST_RULES:
        names = ", ".join(str(rule.get("name", "without a name")) for rule in given)
        found.append(
            f"These are {len(given)} firewall rules for incoming packets, and Robot takes {MOST_RULES}: {names}. "
            "Let fewer ports or networks in, or leave out the filter of IPv6 (hetzner_bootstrap_firewall_ipv6)."
        )
    for position, rule in enumerate(given, 1):
        label = f"Firewall rule {position} ({rule.get('name') or 'without a name'})"
        found += [f"{label}: {problem}" for problem in _problems(rule)]
    return found


def as_it_was(firewall: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``community.hrobot.firewall`` that put back what ``community.hrobot.firewall_info`` has read."""
    directions = firewall.get("rules") or {}
    return {
        "state": "present" if firewall.get("status") == "active" else "absent",
        "filter_ipv6": bool(firewall.get("filter_ipv6")),
        "allowlist_hos": bool(firewall.get("allowlist_hos", firewall.get("whitelist_hos"))),
        "rules": {
            direction: [
                {name: rule[name] for name in _FIELDS if rule.get(name) is not None}
                for rule in directions.get(direction) or []
            ]
            for direction in ("input", "output")
        },
    }


def _problems(rule: Mapping[str, Any]) -> list[str]:
    version, protocol = rule.get("ip_version"), rule.get("protocol")
    found = [
        f"{name} is no part of a rule. The parts are {', '.join(_FIELDS)}." for name in rule if name not in _FIELDS
    ]
    if not _NAME.fullmatch(str(rule.get("name") or "unnamed")):
        found.append("the name has a character that Robot refuses. It takes letters, digits, spaces and . - + _ @")
    if rule.get("action") not in ("accept", "discard"):
        found.append("the action is accept or discard.")
    if version not in (None, "ipv4", "ipv6"):
        found.append("ip_version is ipv4 or ipv6, or is left out for both.")
    if protocol is not None and protocol not in _PROTOCOLS:
        found.append(f"the protocol is one of {', '.join(_PROTOCOLS)}.")
    if not version and any(rule.get(name) for name in ("protocol", "src_ip", "dst_ip")):
        found.append("a protocol or an address needs ip_version.")
    if version == "ipv6" and (rule.get("src_ip") or rule.get("dst_ip") or protocol == "icmp"):
        found.append("Robot filters neither addresses nor ICMP of IPv6.")
    if rule.get("tcp_flags") and not (protocol == "tcp" and _FLAGS.fullmatch(str(rule["tcp_flags"]))):
        found.append("tcp_flags are syn, fin, rst, psh, urg and ack, joined by | or &, and need the protocol tcp.")
    for name in ("src_ip", "dst_ip"):
        problem = _network_problem(str(rule[name])) if rule.get(name) and version == "ipv4" else ""
        found += [problem] if problem else []
    for name in ("src_port", "dst_port"):
        if rule.get(name) is not None:
            found += _port_problems(name, str(rule[name]), protocol)
    return found


def _port_problems(name: str, value: str, protocol: Any) -> list[str]:
    match = _PORTS.fullmatch(value)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last < 65536:
        return [f"{name} is a port or a range such as 8000-8010, not {value}."]
    return [] if protocol in (None, "tcp", "udp") else [f"{name} needs the protocol tcp or udp."]


def _network_problem(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError:
        return f"{text} is no IPv4 address or network such as 192.0.2.0/24, of which the bits after the prefix are 0."
    return ""


def _network(text: str) -> str:
    """With its prefix, as the firewall tells it."""
    return str(ipaddress.IPv4Network(text))
