# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers to which somebody else has given a system, and servers that are in the rescue system without the API."""

from __future__ import annotations

import pytest

from .server import Server

INSTALLED = {"hetzner_bootstrap_access": "installed", "hetzner_bootstrap_server_number": None}


@pytest.fixture
def installed(server: Server) -> Server:
    """A system of any provider, which the owner has logged in to once."""
    server.machine.has_installed("gpu1", server.public_key)
    server.machine.power_on()
    server.know_host()
    return server


def test_an_installed_system_without_python_becomes_a_node(installed: Server) -> None:
    machine = installed.machine
    machine.run(
        "sh",
        "-c",
        "apt-get -qq -y purge python3 python3-apt python3-minimal sudo > /dev/null 2>&1; test ! -e /usr/bin/python3",
    )
    dry = installed.bootstrap("--check", **INSTALLED)
    assert dry.code == 0 and "changed=0" in dry.output
    done = installed.bootstrap(**INSTALLED, hetzner_bootstrap_admin_user="ada")
    assert done.code == 0 and "ansible-playbook -i" in done.text
    assert installed.ssh("sudo -n id -u", user="ada").stdout == "0\n"
    assert "passwordauthentication no" in machine.run("sshd", "-T")
    assert "permitrootlogin without-password" in machine.run("sshd", "-T")
    assert "inactive" in installed.ssh("systemctl is-active toolserve-gpunode-sshd-undo.timer").stdout
    again = installed.bootstrap(**INSTALLED, hetzner_bootstrap_admin_user="ada")
    assert again.code == 0 and again.changed == {installed.name: 0}
    assert machine.wiped == []
