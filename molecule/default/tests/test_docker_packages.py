# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages and sources that somebody else has put on the node are refused by name, or give way unharmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import testinfra
from playing import changes, inventory_of, said, set_up_docker

NODE = "gpunode-debian12"
REPOSITORY_URL = "http://127.0.0.1:8901"


@pytest.fixture
def bare() -> testinfra.host.Host:
    return testinfra.get_host(f"docker://{NODE}")


@pytest.fixture
def prepare_docker(tmp_path) -> Callable:
    inventory = inventory_of(NODE, tmp_path)
    return lambda **values: set_up_docker(inventory=inventory, docker_package_source="docker", **values)


def test_packages_of_another_engine_are_refused_by_name(bare, prepare_docker):
    control = "Package: containerd\nVersion: 9\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    bare.check_output(f"mkdir -p /tmp/p/DEBIAN && printf '{control}' > /tmp/p/DEBIAN/control")
    bare.check_output("dpkg-deb --build /tmp/p /tmp/p.deb && dpkg --install /tmp/p.deb")
    try:
        result = prepare_docker()
    finally:
        bare.check_output("dpkg --purge containerd")
    assert result.returncode != 0
    assert "containerd (every container that another program, such as Kubernetes, runs with it)" in said(result)
    assert "apt-get remove containerd" in said(result)
    assert changes(result) == 0


def test_docker_as_a_snap_is_refused(bare, prepare_docker):
    bare.check_output("mkdir -p /snap/docker/current")
    try:
        result = prepare_docker()
    finally:
        bare.check_output("rm -r /snap")
    assert result.returncode != 0
    assert "snap remove docker" in said(result)


def test_a_source_that_holds_more_than_docker_is_left_to_its_owner(bare, prepare_docker):
    line = "deb [signed-by=/usr/share/keyrings/x.gpg] https://download.docker.com/linux/debian bookworm stable"
    path = "/etc/apt/sources.list.d/mixed.list"
    bare.check_output(f"printf '%s\\n' '{line}' 'deb https://example.org/debian x main' > {path}")
    try:
        result = prepare_docker()
    finally:
        bare.check_output(f"rm {path}")
    assert result.returncode != 0
    assert f"{path} names https://download.docker.com/linux/debian: another source" in said(result)
    assert "take the line out of it" in said(result).lower() and "line 1" in said(result)
    assert changes(result) == 0


@pytest.fixture
def old_source(bare) -> Iterator[tuple[str, str]]:
    """A list as Docker's instructions had it for years, and the fingerprint of the key that the address serves."""
    path, keyring = "/etc/apt/sources.list.d/docker.list", "/usr/share/keyrings/debian-archive-bookworm-stable.gpg"
    bare.check_output(
        "mkdir -p /srv/repository"
        f" && gpg --no-default-keyring --keyring {keyring} --armor --export > /srv/repository/gpg"
        # The old source is a name only: apt must not be made to read it.
        " && touch /var/lib/apt/lists"
        " && systemd-run --unit=repository python3 -m http.server 8901 --bind 127.0.0.1 --directory /srv/repository"
    )
    keys = bare.check_output("gpg --show-keys --with-colons /srv/repository/gpg")
    bare.check_output(f"printf '# by hand\\ndeb [signed-by=/x.gpg] {REPOSITORY_URL} bookworm stable\\n' > {path}")
    yield path, next(line for line in keys.splitlines() if line.startswith("fpr")).split(":")[9]
    bare.check_output("systemctl stop repository; rm -r /srv/repository")
    bare.check_output(
        f"rm -f {path} {path}.disabled /etc/apt/sources.list.d/docker.sources /etc/apt/keyrings/docker.asc"
    )


def test_an_old_source_of_docker_gives_way(bare, prepare_docker, old_source):
    path, fingerprint = old_source
    old = bare.file(path).content_string
    result = prepare_docker(docker_repository_url=REPOSITORY_URL, docker_repository_key_fingerprint=fingerprint)
    assert result.returncode != 0  # at that address is a key, and no packages
    assert not bare.file(path).exists
    assert bare.file(f"{path}.disabled").content_string == old
    assert REPOSITORY_URL in bare.file("/etc/apt/sources.list.d/docker.sources").content_string


def test_an_old_source_of_docker_stays_while_the_key_is_not_the_right_one(bare, prepare_docker, old_source):
    path, _ = old_source
    result = prepare_docker(docker_repository_url=REPOSITORY_URL)
    assert "Nothing is installed with it" in said(result)
    assert bare.file(path).exists
