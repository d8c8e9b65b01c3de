# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever ends the server, it comes back by itself and passes the verification."""

from __future__ import annotations

from operating import CACHES, KEY, inspected, passed, restart_node, settings, status_of


def test_a_new_key_keeps_the_caches(host):
    for cache in CACHES:
        host.check_output(f"touch $(docker volume inspect --format '{{{{.Mountpoint}}}}' vllm_{cache})/kept")
    before = inspected(host, "{{.Id}}")
    passed("site", "--tags", "vllm,verify", *settings(gpunode_api_key=f"{KEY}-new"))
    assert (status_of(host, KEY), status_of(host, f"{KEY}-new")) == ("401", "200")
    assert inspected(host, "{{.Id}}") != before
    for cache in CACHES:
        host.check_output(f"ls $(docker volume inspect --format '{{{{.Mountpoint}}}}' vllm_{cache})/kept")


def test_a_rotation_that_was_cut_off_is_made_up_for(host):
    """The file has another key, the container was not made anew yet; here it is the old key again."""
    host.check_output(f"sed -i 's/{KEY}-new/{KEY}/' /opt/vllm/vllm.env")
    output = passed("site", "--tags", "vllm")
    assert status_of_eventually(host, KEY) == "200", output
    passed("verify")


def status_of_eventually(host, key: str) -> str:
    host.check_output("docker compose --project-directory /opt/vllm up --detach --wait --wait-timeout 300 2>&1")
    return status_of(host, key)


def test_a_killed_server_comes_back(host):
    """By the kernel, as when memory runs out; docker kill would count as stopping it."""
    host.check_output(f"kill -9 {inspected(host, '{{.State.Pid}}')}")
    passed("verify")
    assert inspected(host, "{{.RestartCount}}") == "1"


def test_docker_restarts(host):
    host.check_output("systemctl restart docker")
    passed("verify")


def test_the_node_restarts(host):
    restart_node(host)
    passed("verify")
