# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import robot_errors, robot_server

SERVER = {
    "server_ip": "192.0.2.7",
    "server_ipv6_net": "2001:db8:7::",
    "server_number": 321,
    "status": "ready",
    "ip": ["192.0.2.7", "192.0.2.8"],
    "subnet": [{"ip": "2001:db8:7::", "mask": "64"}, {"ip": "198.51.100.0", "mask": "29"}],
}


@pytest.mark.parametrize("address", ["192.0.2.7", "192.0.2.8", "2001:db8:7::2", "198.51.100.3", "2001:db8:7::2%eth0"])
def test_an_address_of_the_server(address: str) -> None:
    assert robot_server.problems([SERVER], 321, "gpu1.example.org", [address, "127.0.0.1"]) == []


@pytest.mark.parametrize("addresses", [["192.0.2.9"], ["2001:db8:8::2"], ["198.51.100.9"], ["gpu1"], []])
def test_an_address_of_another_server(addresses: list[str]) -> None:
    (problem,) = robot_server.problems([SERVER], 321, "gpu1.example.org", addresses)
    assert "The inventory leads to gpu1.example.org" in problem and "server 321 has 192.0.2.7 and 192.0.2.8" in problem


def test_servers_that_are_not_to_be_had() -> None:
    assert "knows no server 321" in robot_server.problems([], 321, "192.0.2.7", ["192.0.2.7"])[0]
    problems = robot_server.problems([{**SERVER, "status": "in process"}], 321, "192.0.2.7", ["192.0.2.7"])
    assert problems == ["Robot says of server 321: in process. Wait until it is ready."]
    bare = {"server_ip": None, "server_ipv6_net": "2001:db8:7::", "server_number": 321}
    assert robot_server.problems([bare], 321, "gpu1", ["2001:db8:7::2"]) == []


@pytest.mark.parametrize(
    ("wanted", "offered", "answers", "chosen"),
    [
        ("auto", ["software", "hardware", "manual"], True, "software"),
        ("auto", ["software", "hardware", "manual"], False, "hardware"),
        ("auto", ["hardware"], True, "hardware"),
        ("auto", ["software"], False, ""),
        ("auto", ["manual"], True, ""),
        ("software", ["software", "hardware"], False, "software"),
        ("hardware", ["software"], True, ""),
    ],
)
def test_the_reset(wanted: str, offered: list[str], answers: bool, chosen: str) -> None:
    assert robot_server.reset_type(wanted, offered, answers) == chosen


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ({"msg": "Request failed: 401 UNAUTHORIZED (Unauthorized)"}, "does not accept this user and password"),
        ({"msg": "Cannot retrieve content from GET https://x, HTTP status code 401 (Unauthorized)"}, "for ten minutes"),
        ({"msg": "Status code was 401 and not [200]: HTTP Error 401: Unauthorized", "status": 401}, "for ten minutes"),
        ({"msg": "Status code was 503 and not [200]", "status": 503}, "down for maintenance"),
        ({"msg": "HTTP status code -1 (Request failed: <urlopen error timed out>)"}, "does not reach"),
        ({"msg": "Status code was -1 and not [200]: Connection failure", "status": -1}, "does not reach"),
        (
            {"status": 403, "json": {"error": {"code": "RATE_LIMIT_EXCEEDED", "max_request": 5, "interval": 60}}},
            "at most 5 in 60 seconds",
        ),
        ({"error": {"code": "RATE_LIMIT_EXCEEDED", "max_requests": 5, "interval": 60}}, "at most 5 in 60 seconds"),
        ({"msg": "Request failed: 403 RATE_LIMIT_EXCEEDED (rate limit exceeded)"}, "its limit is reached"),
        ({"msg": "This server does not exist, or you do not have access rights for it"}, "Robot knows no server 321"),
        ({"msg": "Request failed: 500 INTERNAL_ERROR (no)"}, "Seen: Request failed: 500 INTERNAL_ERROR (no)"),
        (
            {"msg": "one", "results": [{"msg": "fine"}, {"failed": True, "error": {"code": "KEY_CREATE_FAILED"}}]},
            "Robot failed to store an SSH key",
        ),
        ({}, "Robot refused the request"),
    ],
)
def test_what_a_failure_means(failed: dict[str, Any], told: str) -> None:
    assert told in robot_errors.explain(failed, 321)
