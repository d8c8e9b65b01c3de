# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import endpoint_exposure as exposure
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState


def state(**fields: Any) -> EndpointState:
    return EndpointState("http://10.0.0.5:8000/v1", **{"reachable": True, "auth_required": False, **fields})


def test_what_only_the_machine_itself_reaches_is_fine() -> None:
    found = exposure.judge(state(version="0.9.2"), local=True, listens_on=["127.0.0.1", "::1"])
    assert found == exposure.Exposure("local", False, [], [])


def test_the_network_without_a_key() -> None:
    found = exposure.judge(state(version="0.32.0"), local=False)
    assert (found.scope, found.open_to_all) == ("network", True)
    assert len(found.warnings) == 1 and "It answers at http://10.0.0.5:8000/v1 and asks for no key" in found.warnings[0]


def test_asked_at_loopback_but_listening_on_all_addresses() -> None:
    found = exposure.judge(state(), local=True, listens_on=["127.0.0.1", "0.0.0.0", "::", "0.0.0.0"])
    assert (found.scope, found.open_to_all, found.listens_on) == ("network", True, ["0.0.0.0", "::"])
    assert "It listens on 0.0.0.0, ::" in found.warnings[0]


def test_the_network_with_a_key() -> None:
    assert exposure.judge(state(auth_required=True, version="0.32.0"), local=False).warnings == []
    assert exposure.judge(state(auth_required=None), local=False).open_to_all is None


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ("0.8.5", True),
        ("0.9.2", True),
        ("v0.31.1", True),
        ("0.32.0", False),
        ("1.0.0", False),
        ("0.1.dev5+gabc", False),
        (None, False),
    ],
)
def test_releases_that_a_key_does_not_protect(version: str | None, warned: bool) -> None:
    found = exposure.judge(state(auth_required=True, version=version), local=False)
    assert ["CVE-2026-48746" in warning for warning in found.warnings] == [True] * warned


@pytest.mark.parametrize(
    ("host", "addresses", "local"),
    [
        ("127.0.0.1", ["127.0.0.1"], True),
        ("node1", ["127.0.1.1"], True),
        ("[::1]", ["::1"], True),
        ("localhost", ["::1", "127.0.0.1"], True),
        ("mapped", ["::ffff:127.0.0.1"], True),
        ("node1", ["127.0.1.1", "10.0.0.5"], False),
        ("node1", ["fe80::1%eth0"], False),
    ],
)
def test_where_an_address_leads(monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str], local: bool) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments: [(0, 0, 0, "", (one, 0)) for one in addresses])
    assert exposure.is_local(f"http://{host}:8000/v1") is local


def test_a_name_that_does_not_resolve_is_not_local(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert exposure.is_local("http://nowhere.invalid:8000/v1") is False


# As the kernel writes it on a machine that stores the low byte first.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0500000A:1F40 0600000A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1F41 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the samples are those of a little-endian machine")
def test_the_kernels_list_of_listeners(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP)
    assert exposure.listeners("http://127.0.0.1:8000/v1", tmp_path) == ["127.0.0.1"], "no IPv6 on this machine"
    (tmp_path / "tcp6").write_text(TCP6)
    assert exposure.listeners("http://127.0.0.1:8000/v1", tmp_path) == ["127.0.0.1", "::1"]
    assert exposure.listeners("http://127.0.0.1:8001/v1", tmp_path) == ["0.0.0.0", "::"]
    assert exposure.listeners("https://127.0.0.1/v1", tmp_path) == []


@pytest.mark.parametrize(("address", "seen"), [("127.0.0.1", "127.0.0.1"), ("", "0.0.0.0")])
def test_a_real_listener(address: str, seen: str) -> None:
    with socket.create_server((address, 0)) as listener:
        assert seen in exposure.listeners(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
