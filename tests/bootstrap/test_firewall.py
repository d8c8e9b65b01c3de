# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Robot's firewall before a server that answers by SSH: proven by a new login, although the one from before goes on."""

from __future__ import annotations

from tests.bench.hetzner import robot_server

from .server import Server

FIREWALL = {
    "hetzner_bootstrap_access": "installed",
    "hetzner_bootstrap_firewall": "managed",
    "hetzner_bootstrap_firewall_ports": [443],
    "__hetzner_bootstrap_firewall_proof_seconds": 10,
}


def test_a_firewall_is_proven_and_taken_back(server: Server) -> None:
    machine = server.machine
    machine.has_installed("gpu1", server.public_key)
    machine.power_on()
    server.know_host()

    def drops_new_connections(changed: robot_server.Server) -> None:
        """With the role's rules nobody new comes in; sessions that are open go on."""
        machine.run("systemctl", "stop" if changed.firewall["status"] == "active" else "start", "ssh")

    server.robot.on_firewall = drops_new_connections
    locked_out = server.bootstrap(**FIREWALL)
    assert locked_out.code == 2
    assert "SSH no longer answered" in locked_out.text and "the firewall is as it was before" in locked_out.text
    assert server.in_robot.firewall["status"] == "disabled"
    assert server.ssh("true").returncode == 0

    server.robot.on_firewall = None
    asked = len(server.robot.changes())
    done = server.bootstrap(**FIREWALL)
    assert done.code == 0
    assert [request.path for request in server.robot.changes()[asked:]] == [f"/firewall/{server.in_robot.number}"]
    rules = server.in_robot.firewall["rules"]["input"]
    assert server.in_robot.firewall["status"] == "active"
    assert [rule["dst_port"] for rule in rules[:2]] == [str(machine.port), "443"]

    again = server.bootstrap(**FIREWALL)
    assert again.code == 0 and again.changed == {server.name: 0}
    assert len(server.robot.changes()) == asked + 1
