# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the owner of the node stays: his daemon.json and his containers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
import yaml
from playing import REPOSITORY, changes, said, set_up_docker

sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / ".bench/collections")]
from ansible_collections.toolserve.gpunode.plugins.module_utils.docker_daemon_merge import merge  # noqa: E402
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import render  # noqa: E402

from tests import daemon_documents  # noqa: E402

DAEMON_JSON = "/etc/docker/daemon.json"
OWNERS = {
    "debug": False,
    "labels": ["rack=7", "owner=Jürgen"],
    "dns": ["192.0.2.53"],
    "dns-search": ["example.org"],
    "dns-opts": ["timeout:3"],
    "insecure-registries": ["registry.example.org:5000"],
    "registry-mirrors": ["https://mirror.example.org"],
    "max-concurrent-downloads": 6,
    "max-concurrent-uploads": 4,
    "max-download-attempts": 7,
    "shutdown-timeout": 20,
    "log-level": "warn",
    "log-opts": {"max-size": "7m", "tag": "{{.Name}}"},
    "default-shm-size": "1G",
    "default-ulimits": {"memlock": {"Name": "memlock", "Hard": 65536, "Soft": 65536}},
    "builder": {"gc": {"enabled": True, "defaultKeepStorage": "20GB"}},
    "features": {"buildkit": True},
    "runtimes": {"kata": {"path": "/usr/bin/runc"}},
    "no-new-privileges": False,
    "userland-proxy": True,
}


@contextmanager
def daemon_json(host, content: str) -> Iterator[None]:
    """The file with this content; afterwards the old one, which the daemon has read again."""
    old = host.check_output(f"cat {DAEMON_JSON}")
    write(host, content)
    try:
        yield
    finally:
        write(host, old)
        host.check_output(
            "systemctl reset-failed docker && systemctl reload docker && sleep 1 && systemctl restart docker"
        )


def write(host, content: str) -> None:
    host.check_output(f"printf %s '{content}' > {DAEMON_JSON}")


def server(host) -> tuple[int, str]:
    """The process of the served model, and how often Docker has started it anew."""
    state = json.loads(host.check_output("docker inspect vllm-server"))[0]
    return state["State"]["Pid"], state["RestartCount"]


def test_a_file_with_twenty_keys_of_its_owner(host):
    before = server(host)
    with daemon_json(host, json.dumps(OWNERS, indent=4)):
        result = set_up_docker()
        assert result.returncode == 0, result.stdout
        text = host.check_output(f"cat {DAEMON_JSON}")
        merged = json.loads(text)
        assert list(merged)[: len(OWNERS)] == list(OWNERS)
        added = {"log-opts": {"max-file": "5"}, "default-ulimits": merged["default-ulimits"]}
        assert {key: merged[key] for key in OWNERS} == {
            key: {**value, **added[key]} if key in added else value for key, value in OWNERS.items()
        }
        assert merged["default-ulimits"]["memlock"] == OWNERS["default-ulimits"]["memlock"]
        assert text.splitlines()[1].startswith('    "')
        assert "rack=7" in host.check_output("docker info --format '{{.Labels}}'")
        assert changes(set_up_docker()) == 0
        assert server(host) == before  # the daemon was restarted; what runs was not


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{\n  "debug": true\n  "mtu": 1450\n}', "line 3, column 3: this is not valid JSON"),
        ("", "line 1, column 1: the file is empty"),
        ('{"debug": true, "debug": false}', 'line 1, column 17: the key "debug" is there a second time'),
        ('{"live-restore": true, "nonsense": 1}', "directives don't match any configuration option: nonsense"),
    ],
)
def test_a_file_that_cannot_be_merged_is_refused_and_left(host, content, message):
    with daemon_json(host, content):
        result = set_up_docker()
        assert result.returncode != 0
        assert message in said(result)
        assert changes(result) == 0
        assert host.file(DAEMON_JSON).content_string == content


def test_a_running_container_is_not_stopped_without_consent(host):
    before = server(host)
    with daemon_json(host, '{"live-restore": false}'):
        host.check_output("systemctl reload docker")
        result = set_up_docker()
        assert result.returncode != 0
        assert "would stop the running containers vllm-server, because live-restore is off" in said(result)
        assert "docker_allow_stopping_containers: true" in said(result)
        assert changes(result) == 0
        assert server(host) == before


def test_options_that_would_strand_a_running_container_are_refused(host):
    result = set_up_docker(docker_daemon_options={"bip": "172.30.0.1/16"}, docker_daemon_defaults={})
    assert result.returncode != 0
    assert "The options bip of /etc/docker/daemon.json would change what the running containers rest on" in said(result)


def test_options_with_which_the_daemon_does_not_start_are_taken_back(host):
    """This engine accepts them when it is asked to validate, and fails when it starts."""
    before = server(host), host.file(DAEMON_JSON).content_string
    options = {"log-driver": "journald", "log-opts": {"max-size": "1m"}}
    result = set_up_docker(docker_daemon_options=options)
    assert result.returncode != 0
    assert "unknown log opt 'max-size' for journald log driver" in said(result)
    assert host.service("docker").is_running
    assert (server(host), host.file(DAEMON_JSON).content_string) == before
    assert changes(set_up_docker()) == 0


def test_a_restart_that_was_cut_off_is_made_up_for(host):
    """The file is written, and the run was killed before the daemon has read it."""
    before, daemon = server(host), host.check_output("pidof dockerd")
    host.check_output("echo restart > /run/toolserve-gpunode-docker-pending")
    assert set_up_docker().returncode == 0
    assert host.check_output("pidof dockerd") != daemon
    assert changes(set_up_docker()) == 0
    assert server(host) == before


def test_what_the_daemon_gets_as_a_flag_is_not_said_in_the_file_too(host):
    before = server(host)
    with daemon_json(host, "{}"):
        host.check_output(
            "cp /etc/default/docker /root/docker.default"
            """ && echo 'DOCKER_OPTS="--log-driver=journald --live-restore"' >> /etc/default/docker"""
            " && systemctl reset-failed docker && systemctl restart docker"
        )
        try:
            result = set_up_docker()
            assert result.returncode == 0, result.stdout
            assert json.loads(host.check_output(f"cat {DAEMON_JSON}")).keys() == {"default-ulimits"}
            assert changes(set_up_docker()) == 0
        finally:
            host.check_output("mv /root/docker.default /etc/default/docker")
    assert server(host) == before


def test_merged_files_are_valid_to_the_engine(host):
    defaults = yaml.safe_load((REPOSITORY / "roles/docker/defaults/main.yml").read_text())["docker_daemon_defaults"]
    random = Random(5)
    documents = [daemon_documents.document(random) for _ in range(40)]
    merged = [merge(document, random.choice(daemon_documents.LOGGING), defaults).options for document in documents]
    script = "".join(
        f"cat > /tmp/daemon.json <<'EOF'\n{render(options)}EOF\n"
        f"dockerd --validate --config-file /tmp/daemon.json || cat /tmp/daemon.json\n"
        for options in documents + merged
    )
    host.check_output(f"cat > /tmp/validate.sh <<'END'\n{script}END")
    result = host.run("sh /tmp/validate.sh")
    assert result.stdout == ""
    assert result.stderr.count("configuration OK") == 80, result.stderr
