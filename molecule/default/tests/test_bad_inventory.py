# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory without nodes, or with one that cannot be served on, is told before anything is changed."""

from __future__ import annotations

from playing import inventory_of, refused


def test_empty_inventory(tmp_path):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {}\n")
    assert "Copy inventory.example/ to inventory/" in refused(inventory=inventory)


def test_node_that_offers_only_compose_v1(tmp_path):
    """A real Debian 12, whose docker-compose is 1.29."""
    message = refused(inventory=inventory_of("gpunode-debian12", tmp_path))
    assert "docker-compose 1.29" in message
    assert "docker_package_source: docker" in message
