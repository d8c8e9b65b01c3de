# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.publishing import address_problems, port_problems

OWN = ["10.0.0.5", "172.17.0.1"]
PROXY = 'LISTEN 0 4096 10.0.0.5:8000 0.0.0.0:* users:(("docker-proxy",pid=77,fd=4))'


def at(address: str, **settings: Any) -> list[str]:
    defaults = {"key": True, "allow_unauthenticated": False, "release": "0.32.0"}
    return address_problems(address, OWN, **{**defaults, **settings})


def taken(address: str, *sockets: str, containers: str = "") -> list[str]:
    return port_problems(address, 8000, "\n".join(sockets), containers, "vllm-server")


def socket(address: str, port: int = 8000, process: str = "python3") -> str:
    return f'LISTEN 0      5      {address}:{port}      0.0.0.0:*    users:(("{process}",pid=4711,fd=3))'


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53"])
def test_loopback_needs_neither_key_nor_a_new_release(address: str) -> None:
    assert at(address, key=False, release="0.9.2") == []


@pytest.mark.parametrize("address", ["10.0.0.5", "0.0.0.0"])
def test_any_other_address_needs_a_key_or_consent(address: str) -> None:
    (problem,) = at(address, key=False)
    assert f"gpunode_listen_address is {address} and gpunode_api_key is not set" in problem
    assert at(address) == at(address, key=False, allow_unauthenticated=True) == []


@pytest.mark.parametrize(("release", "refused"), [("0.31.9", True), ("0.9.2", True), ("0.32.0", False), ("x", False)])
def test_an_old_release_may_not_be_reachable_whatever_the_consent(release: str, refused: bool) -> None:
    problems = at("10.0.0.5", allow_unauthenticated=True, release=release)
    assert [f"vllm_release is {release}" in problem for problem in problems] == [True] * refused
    assert all("Releases below 0.32.0 must not be reachable" in problem for problem in problems)


def test_an_address_of_another_machine() -> None:
    (problem,) = at("10.0.0.6")
    assert "10.0.0.6, which this node does not have (it has 10.0.0.5, 172.17.0.1)" in problem


@pytest.mark.parametrize("address", ["localhost", "::1", "[::]", "10.0.0", ""])
def test_what_is_no_address(address: str) -> None:
    (problem,) = at(address, key=False)
    assert f"{address!r}, which is no IPv4 address" in problem


def test_everything_is_told_at_once() -> None:
    assert len(at("10.0.0.6", key=False, release="0.9.2")) == 3


@pytest.mark.parametrize(
    ("wanted", "listens"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "*"),
        ("0.0.0.0", "10.0.0.5"),
        ("0.0.0.0", "*"),
        ("127.0.0.53", "127.0.0.53%lo"),
    ],
)
def test_the_same_address_or_all_of_them_is_a_conflict(wanted: str, listens: str) -> None:
    (problem,) = taken(wanted, socket(listens))
    assert "Port 8000 of this node is in use already, by python3 (pid 4711)" in problem


@pytest.mark.parametrize(
    ("wanted", "listens"), [("127.0.0.1", "10.0.0.5"), ("10.0.0.5", "127.0.0.1"), ("0.0.0.0", "[::1]")]
)
def test_another_address_is_none(wanted: str, listens: str) -> None:
    assert taken(wanted, socket(listens)) == []


def test_another_port_is_none() -> None:
    assert taken("127.0.0.1", socket("127.0.0.1", 18000), socket("0.0.0.0", 80)) == []


def test_a_process_that_ss_does_not_name() -> None:
    assert "by a process that ss does not name" in taken("127.0.0.1", "LISTEN 0 5 127.0.0.1:8000 0.0.0.0:*")[0]


def test_the_container_that_this_is_about_may_listen() -> None:
    assert taken("10.0.0.5", PROXY, containers="vllm-server\t10.0.0.5:8000->8000/tcp") == []


def test_a_process_beside_the_own_container_is_a_conflict() -> None:
    """Where Docker publishes by packet filter alone, both can be there."""
    assert "by python3" in taken("10.0.0.5", socket("10.0.0.5"), containers="vllm-server\t10.0.0.5:8000->8000/tcp")[0]


def test_another_container_may_not_and_is_told_once() -> None:
    (problem,) = taken("10.0.0.5", PROXY, containers="web\t10.0.0.5:8000->80/tcp\nvllm-server\t8000/tcp")
    assert "by the container web (10.0.0.5:8000). The API" in problem


def test_a_container_without_a_proxy_is_seen_too() -> None:
    everywhere = "web\t0.0.0.0:8000->80/tcp, [::]:8000->80/tcp"
    assert "the container web" in taken("127.0.0.1", containers=everywhere)[0]
    assert "the container web" in taken("127.0.0.1", containers="web\t0.0.0.0:7990-8010->7990-8010/tcp")[0]
    assert taken("127.0.0.1", containers="web\t10.0.0.5:8000->80/tcp, 9000/tcp") == []


def test_a_process_where_the_own_container_is_to_move_to() -> None:
    own = "vllm-server\t127.0.0.1:8000->8000/tcp"
    listening = (socket("127.0.0.1", process="docker-proxy"), socket("10.0.0.5"))
    assert taken("127.0.0.1", *listening, containers=own) == []
    assert "by python3 (pid 4711) (10.0.0.5:8000)" in taken("10.0.0.5", *listening, containers=own)[0]


@pytest.mark.parametrize(("port", "fine"), [(0, False), (1, True), (65535, True), (65536, False), (-1, False)])
def test_what_is_no_port(port: int, fine: bool) -> None:
    problems = port_problems("127.0.0.1", port, "", "", "vllm-server")
    assert [f"{port}, which is no port" in problem for problem in problems] == [True] * (not fine)
