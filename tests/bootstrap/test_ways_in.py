# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers to which somebody else has given a system, and servers that are in the rescue system without the API."""

from __future__ import annotations

import pytest

from .server import CONFIRMED, Server

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
    restricted = f'from="127.0.0.1,::1,172.16.0.0/12",no-X11-forwarding {installed.public_key}'
    machine.run("sh", "-c", f"echo '{restricted}' > /root/.ssh/authorized_keys")
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
    assert (
        machine.run("cat", "/root/.ssh/authorized_keys") == f"{restricted}\n"
    )  # what somebody has restricted stays so


def test_a_change_of_sshd_that_is_not_proven_takes_itself_back(installed: Server) -> None:
    machine = installed.machine
    machine.run("sh", "-c", "echo 'NoSuchOption yes' > /etc/ssh/sshd_config.d/99-broken.conf")
    played = installed.bootstrap(**INSTALLED, __hetzner_bootstrap_sshd_undo_seconds=5)
    assert played.code == 2 and "The old configuration is back" in played.text and "NoSuchOption" in played.text
    assert machine.run("ls", "/etc/ssh/sshd_config.d") == "99-broken.conf\n"
    machine.run("rm", "/etc/ssh/sshd_config.d/99-broken.conf")
    assert installed.bootstrap(**INSTALLED).code == 0
    assert machine.run("ls", "/etc/ssh/sshd_config.d") == "10-toolserve-gpunode.conf\n"


def test_another_file_that_lets_passwords_in_is_told(installed: Server) -> None:
    machine = installed.machine
    machine.run("sh", "-c", "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/05-old.conf")
    played = installed.bootstrap(**INSTALLED)
    assert played.code == 2 and "sshd has passwordauthentication yes" in played.text
    assert installed.ssh("true").returncode == 0


def test_a_rescue_system_that_is_known_by_its_fingerprints_only(server: Server) -> None:
    server.is_in_rescue()
    server.known_hosts.unlink()
    told = server.bootstrap("--check", hetzner_bootstrap_confirm="")
    assert told.code == 2 and "a host key that is not known on this machine" in told.text
    wrong = server.bootstrap(**CONFIRMED, hetzner_bootstrap_rescue_host_key_fingerprints=["SHA256:" + "A" * 43])
    assert wrong.code == 2 and "Nobody has logged in" in wrong.text and server.machine.wiped == []
    known = {"hetzner_bootstrap_rescue_host_key_fingerprints": list(server.machine.host_keys().values())}
    assert server.bootstrap(**CONFIRMED, **known).code == 0
    # The fingerprints stay in the inventory, and are none of the system that runs now.
    again = server.bootstrap(**CONFIRMED, **known)
    assert again.code == 0 and again.changed == {server.name: 0} and server.robot.requests == []


def test_a_new_system_is_updated_once_and_restarted_where_that_is_asked_for(server: Server) -> None:
    server.is_in_rescue()
    (server.machine.hardware / "updates-ask-for-a-reboot").touch()
    first = server.bootstrap(**CONFIRMED, hetzner_bootstrap_upgrade_packages=True)
    assert first.code == 0 and "changed: [" in first.task("Updates | Reboot for them")
    again = server.bootstrap(**CONFIRMED, hetzner_bootstrap_upgrade_packages=True)
    assert again.code == 0 and again.changed == {server.name: 0}
    assert "skipping" in again.task("Updates | Install them")
