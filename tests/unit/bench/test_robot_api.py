# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in of Robot's web service refuses what the service refuses."""

from __future__ import annotations

import base64
import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.bench.hetzner.robot_api import PASSWORD, USER, Robot
from tests.bench.hetzner.robot_server import Server

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILZGcwtDIZN+B5pZxgCURlDo8PHsHLDK+HzdyFDlpGwI"
FINGERPRINT = "fa:25:81:fb:f2:e6:a4:32:d5:e5:c7:0a:c1:19:23:1a"
LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Client:
    def __init__(self, **fields: Any) -> None:
        self.time = 0.0
        self.server = Server(321, "192.0.2.7")
        self.robot = Robot([self.server], now=lambda: self.time, **fields)

    def ask(self, request: str, login: str = LOGIN, address: str = "192.0.2.1", **form: str) -> tuple[int, Any]:
        method, path = request.split()
        return self.robot.answer(method, path, {name: [value] for name, value in form.items()}, login, address)

    def code(self, request: str, **form: str) -> tuple[int, str]:
        status, document = self.ask(request, **form)
        return status, document["error"]["code"]


def test_three_wrong_passwords_block_an_address_for_ten_minutes() -> None:
    client = Client()
    for _try in range(2):
        assert client.ask("GET /server", login="Basic wrong")[0] == 401
    assert client.ask("GET /server")[0] == 200  # forgiven
    for _try in range(3):
        client.ask("GET /server", login="Basic wrong")
    assert client.ask("GET /server")[0] == 401
    assert client.ask("GET /server", address="192.0.2.2")[0] == 200
    client.time = 599
    assert client.ask("GET /server")[0] == 401
    client.time = 1300
    assert client.ask("GET /server")[0] == 200


@pytest.mark.parametrize("path", ["server/11", "boot/11", "boot/11/rescue", "reset/11", "firewall/11"])
def test_a_server_of_somebody_else(path: str) -> None:
    assert Client().code(f"GET /{path}") == (404, "SERVER_NOT_FOUND")


def test_keys() -> None:
    client = Client()
    assert client.code("GET /key") == (404, "NOT_FOUND")
    assert client.code("POST /key", name="a", data="ssh-ed25519 no") == (400, "INVALID_INPUT")
    assert client.code("POST /key", name="a") == (400, "INVALID_INPUT")
    status, document = client.ask("POST /key", name="a", data=KEY)
    assert (status, document["key"]["fingerprint"], document["key"]["type"]) == (201, FINGERPRINT, "ED25519")
    assert client.code("POST /key", name="b", data=KEY) == (409, "KEY_ALREADY_EXISTS")
    assert client.ask(f"GET /key/{FINGERPRINT}")[1]["key"]["name"] == "a"


def test_the_rescue_system_is_for_one_boot() -> None:
    client = Client()
    assert client.code("POST /boot/321/rescue", os="linux", authorized_key=FINGERPRINT) == (400, "INVALID_INPUT")
    assert client.code("POST /boot/321/rescue", os="beos") == (400, "INVALID_INPUT")
    client.robot.add_key("a", KEY)
    activated = client.ask("POST /boot/321/rescue", os="linux", authorized_key=FINGERPRINT)[1]["rescue"]
    assert activated["active"] and activated["password"] and activated["host_key"] == []
    assert client.code("POST /boot/321/rescue", os="linux") == (409, "BOOT_ALREADY_ENABLED")
    answer, reset = client.server.press({"type": ["hw"]}, client.robot.keys)
    assert answer["reset"]["type"] == "hw"
    assert reset is not None and reset.rescue and reset.authorized_keys == (KEY,)
    assert not client.ask("GET /boot/321/rescue")[1]["rescue"]["active"]
    client.server.rescue_has_booted({"ed25519": "SHA256:abc"})
    last = client.ask("GET /boot/321/rescue/last")[1]["rescue"]
    assert last["host_key"][0]["key"]["fingerprint"] == "abc" and last["password"] is None
    _answer, again = client.server.press({"type": ["hw"]}, client.robot.keys)
    assert again is not None and not again.rescue


def test_resets() -> None:
    client = Client()
    assert client.code("POST /reset/321", type="power") == (400, "INVALID_INPUT")
    assert client.ask("POST /reset/321", type="man")[0] == 200
    assert client.code("POST /reset/321", type="man") == (409, "RESET_MANUAL_ACTIVE")
    client.server.reset_types = ()
    assert client.code("GET /reset/321") == (404, "RESET_NOT_AVAILABLE")


def _rule(direction: str, position: int, **fields: str) -> dict[str, str]:
    return {f"rules[{direction}][{position}][{name}]": value for name, value in fields.items()}


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "accept", "name": "no!"},
        {"action": "drop"},
        {"action": "accept", "protocol": "tcp"},
        {"action": "accept", "ip_version": "ipv6", "src_ip": "2001:db8::/32"},
        {"action": "accept", "ip_version": "ipv6", "protocol": "icmp"},
        {"action": "accept", "tcp_flags": "ack"},
        {"action": "accept", "ip_version": "ipv4", "protocol": "icmp", "dst_port": "1"},
    ],
)
def test_firewall_rules_that_are_refused(rule: dict[str, str]) -> None:
    assert Client().code("POST /firewall/321", status="active", **_rule("input", 0, **rule)) == (400, "INVALID_INPUT")


def test_a_firewall_takes_its_time_and_ten_rules() -> None:
    client = Client()
    ten = {name: value for position in range(10) for name, value in _rule("input", position, action="accept").items()}
    more = _rule("input", 10, action="accept")
    assert client.code("POST /firewall/321", status="active", **ten, **more) == (400, "INVALID_INPUT")
    status, document = client.ask("POST /firewall/321", status="active", **ten)
    assert (status, document["firewall"]["status"]) == (202, "in process")
    assert client.code("POST /firewall/321", status="active") == (409, "FIREWALL_IN_PROCESS")
    assert client.ask("GET /firewall/321")[1]["firewall"]["status"] == "in process"
    firewall = client.ask("GET /firewall/321")[1]["firewall"]
    assert firewall["status"] == "active" and len(firewall["rules"]["input"]) == 10


def test_limits_maintenance_and_scripted_faults() -> None:
    client = Client()
    client.robot.fail("GET /key", 500, "INTERNAL_ERROR", times=1)
    assert client.code("GET /key") == (500, "INTERNAL_ERROR") and client.code("GET /key") == (404, "NOT_FOUND")
    client.robot.limit = (2, 3600)
    status, document = client.ask("GET /key")
    assert status == 403 and document["error"]["max_request"] == 2 and document["error"]["interval"] == 3600
    client.robot.limit, client.robot.maintenance = None, True
    assert client.ask("GET /key") == (503, None)
    client.ask("DELETE /boot/321/rescue")
    assert [request.method for request in client.robot.changes()] == ["DELETE"]


def test_it_is_reached_by_its_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    with client.robot.serving() as robot:
        for name, value in robot.environment().items():
            monkeypatch.setenv(name, value)
        request = urllib.request.Request("https://robot-ws.your-server.de/server", headers={"Authorization": LOGIN})
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)[0]["server"]["server_number"] == 321
        with pytest.raises(urllib.error.URLError, match="502"):
            urllib.request.urlopen("https://example.org/")
        assert robot.refused_tunnels == ["example.org:443"]
        port = int(robot.environment()["HTTPS_PROXY"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"GET /server HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 502 " in plain.recv(100)
