# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import robot_firewall

ACCEPT = {"name": "mine", "action": "accept"}


@pytest.mark.parametrize("ipv6", [True, False])
@pytest.mark.parametrize("ssh_from", [[], ["192.0.2.0/24", "198.51.100.7"]])
def test_the_roles_own_rules_fit(ssh_from: list[str], ipv6: bool) -> None:
    rules = robot_firewall.rules(2222, [443, 2222, 443], ssh_from, ipv6)
    assert robot_firewall.rule_problems(rules["input"]) == robot_firewall.rule_problems(rules["output"]) == []
    first = [rule for rule in rules["input"] if rule["name"] == "SSH"]
    assert [rule.get("src_ip") for rule in first] == (["192.0.2.0/24", "198.51.100.7/32"] if ssh_from else [None])
    assert all(rule["dst_port"] == "2222" for rule in first)
    assert [rule["name"] for rule in rules["input"] if rule["name"].startswith("TCP")] == ["TCP 443"]
    answers = {rule["ip_version"] for rule in rules["input"] if "tcp_flags" in rule}
    assert answers == ({"ipv4", "ipv6"} if ipv6 else {"ipv4"})
    assert rules["output"] == [{"name": "Everything", "action": "accept"}]


def _passes(rules: list[dict[str, str]], **packet: Any) -> bool:
    """Whether the first rule that matches lets a packet in: the web service's own words, tried on the rules."""

    def port_in(text: str, port: int) -> bool:
        first, _dash, last = text.partition("-")
        return int(first) <= port <= int(last or first)

    for rule in rules:
        if rule.get("ip_version", packet["ip_version"]) != packet["ip_version"]:
            continue
        if rule.get("protocol", packet["protocol"]) != packet["protocol"]:
            continue
        if any(name in rule and not port_in(rule[name], packet.get(name, 0)) for name in ("src_port", "dst_port")):
            continue
        if "tcp_flags" in rule and rule["tcp_flags"] not in packet.get("flags", ()):
            continue
        if "src_ip" in rule and packet.get("src_ip") != rule["src_ip"].removesuffix("/32"):
            continue
        return rule["action"] == "accept"
    return False


@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
@pytest.mark.parametrize(
    ("packet", "let_in"),
    [
        ({"protocol": "tcp", "dst_port": 22, "flags": ("syn",)}, True),
        ({"protocol": "tcp", "dst_port": 443, "flags": ("syn",)}, True),
        ({"protocol": "tcp", "dst_port": 8000, "flags": ("syn",)}, False),
        ({"protocol": "tcp", "src_port": 443, "dst_port": 45000, "flags": ("syn", "ack")}, True),  # apt downloads
        ({"protocol": "tcp", "src_port": 443, "dst_port": 45000, "flags": ("syn",)}, False),  # nobody asked for it
        ({"protocol": "udp", "src_port": 53, "dst_port": 45000}, True),
        ({"protocol": "udp", "src_port": 123, "dst_port": 45000}, True),
        ({"protocol": "udp", "src_port": 53, "dst_port": 111}, False),
        ({"protocol": "udp", "src_port": 5000, "dst_port": 45000}, False),
    ],
)
def test_what_the_rules_let_in(version: str, packet: dict[str, Any], let_in: bool) -> None:
    rules = robot_firewall.rules(22, [443])["input"]
    assert _passes(rules, ip_version=version, **packet) is let_in


def test_ssh_from_a_network_only() -> None:
    rules = robot_firewall.rules(22, [], ["192.0.2.7"])["input"]
    packet = {"ip_version": "ipv4", "protocol": "tcp", "dst_port": 22, "flags": ("syn",)}
    assert _passes(rules, src_ip="192.0.2.7", **packet) and not _passes(rules, src_ip="192.0.2.8", **packet)
    assert not _passes(rules, **{**packet, "ip_version": "ipv6"})


def test_one_can_be_pinged() -> None:
    assert _passes(robot_firewall.rules(22)["input"], ip_version="ipv4", protocol="icmp")


def test_rules_of_ones_own_come_last() -> None:
    rules = robot_firewall.rules(22, more=[{**ACCEPT, "dst_port": 8443, "src_ip": None}])["input"]
    assert rules[-1] == {**ACCEPT, "dst_port": "8443"}


@pytest.mark.parametrize(("ipv6", "most"), [(True, 4), (False, 5)])
def test_robot_takes_ten_rules(ipv6: bool, most: int) -> None:
    ports = list(range(8000, 8000 + most))
    assert robot_firewall.settings_problems(ports, [], ipv6, []) == []
    assert "Robot takes 10" in robot_firewall.settings_problems([*ports, 9000], [], ipv6, [])[0]


@pytest.mark.parametrize(
    ("ports", "ssh_from", "told"),
    [
        ([0], [], "0 is no port"),
        ([65536], [], "65536 is no port"),
        (["443"], [], "'443' is no port"),
        ([True], [], "True is no port"),
        ([], ["192.0.2.7/24"], "192.0.2.7/24 is no IPv4 address or network"),
        ([], ["2001:db8::/32"], "2001:db8::/32 is no IPv4 address or network"),
        ([], ["office"], "office is no IPv4 address"),
    ],
)
def test_settings_that_are_wrong(ports: list[Any], ssh_from: list[str], told: str) -> None:
    assert told in robot_firewall.settings_problems(ports, ssh_from, True, [])[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "mine!"}, "a character that Robot refuses"),
        ({"name": "grün"}, "a character that Robot refuses"),
        ({"action": "drop"}, "accept or discard"),
        ({"port": "22"}, "port is no part of a rule"),
        ({"ip_version": "4"}, "ip_version is ipv4 or ipv6"),
        ({"protocol": "tcp"}, "a protocol or an address needs ip_version"),
        ({"src_ip": "192.0.2.7"}, "a protocol or an address needs ip_version"),
        ({"ip_version": "ipv6", "src_ip": "2001:db8::7"}, "neither addresses nor ICMP of IPv6"),
        ({"ip_version": "ipv6", "protocol": "icmp"}, "neither addresses nor ICMP of IPv6"),
        ({"ip_version": "ipv4", "protocol": "sctp"}, "the protocol is one of"),
        ({"ip_version": "ipv4", "src_ip": "office"}, "office is no IPv4 address"),
        ({"tcp_flags": "ack"}, "need the protocol tcp"),
        ({"ip_version": "ipv4", "protocol": "tcp", "tcp_flags": "new"}, "tcp_flags are"),
        ({"dst_port": "8010-8000"}, "a port or a range"),
        ({"dst_port": "http"}, "a port or a range"),
        ({"ip_version": "ipv4", "protocol": "icmp", "dst_port": "8"}, "dst_port needs the protocol"),
    ],
)
def test_rules_that_robot_would_refuse(change: dict[str, Any], told: str) -> None:
    problems = robot_firewall.rule_problems([ACCEPT, {**ACCEPT, **change}])
    assert len(problems) == 1 and problems[0].startswith("Firewall rule 2") and told in problems[0]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "a.b-c+d_e@f 1"},
        {"dst_port": "443"},
        {"src_port": "53", "dst_port": "32768-65535"},
        {"ip_version": "ipv4", "protocol": "tcp", "tcp_flags": "syn&ack", "src_ip": "192.0.2.0/24"},
        {"ip_version": "ipv6", "protocol": "udp", "dst_port": "443"},
        {"ip_version": "ipv4", "protocol": "esp"},
        {"action": "discard"},
    ],
)
def test_rules_that_robot_takes(change: dict[str, Any]) -> None:
    assert robot_firewall.rule_problems([{**ACCEPT, **change}]) == []


def test_what_was_there_can_be_put_back() -> None:
    rule = {"name": "all", "action": "accept", "ip_version": None, "src_ip": None, "packet_length": None}
    firewall = {"status": "active", "filter_ipv6": None, "whitelist_hos": True, "rules": {"input": [rule]}}
    assert robot_firewall.as_it_was(firewall) == {
        "state": "present",
        "filter_ipv6": False,
        "allowlist_hos": True,
        "rules": {"input": [{"name": "all", "action": "accept"}], "output": []},
    }
    assert robot_firewall.as_it_was({"status": "disabled", "rules": None})["state"] == "absent"
