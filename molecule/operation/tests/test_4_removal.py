# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""teardown.yml says what it removes, and removes that and nothing else."""

from __future__ import annotations

from operating import CACHES, inspected, passed, settings

OWNERS_FILE = "/opt/vllm/notes.txt"
FOREIGN_VOLUME = "vllm_huggingface_of_somebody"


def volumes(host) -> set[str]:
    return set(host.check_output("docker volume ls --quiet").split())


def images(host) -> set[str]:
    return set(host.check_output("docker image ls --format '{{.Repository}}:{{.Tag}}'").split())


def test_a_dry_run_only_says_what_would_go(host):
    before = volumes(host), host.check_output("docker ps --quiet"), host.check_output("find /opt/vllm | sort")
    output = passed("teardown", "--check", *settings(vllm_remove_caches=True))
    after = volumes(host), host.check_output("docker ps --quiet"), host.check_output("find /opt/vllm | sort")
    assert after == before
    told = output.partition("Say what goes and what stays")[2].partition("goes")[2].partition("TASK")[0]
    goes, _, stays = told.partition("stays")
    for name in ("container vllm-server", "volume vllm_compiled", "volume vllm_triton", "/opt/vllm/vllm.env"):
        assert name in goes
    assert "volume vllm_huggingface" not in goes and "volume vllm_huggingface" in stays and "image " in stays


def test_nothing_goes_but_what_was_asked_for(host):
    host.check_output(f"echo mine > {OWNERS_FILE}; docker volume create {FOREIGN_VOLUME}")
    before, served = images(host), inspected(host, "{{.Config.Image}}")
    passed("teardown", *settings(vllm_remove_caches=True, vllm_remove_image=True))
    assert host.check_output("docker ps --all --quiet") == ""
    assert {f"vllm_{cache}" for cache in CACHES} & volumes(host) == {"vllm_huggingface"}
    assert FOREIGN_VOLUME in volumes(host)
    assert images(host) == before - {served, "toolserve.gpunode/vllm:before-upgrade"}
    assert host.check_output("find /opt/vllm -type f") == OWNERS_FILE
    assert not host.file("/etc/systemd/system/gpunode-verify.timer").exists
    assert host.check_output("ls /var/lib/prometheus/node-exporter") == ""  # no verdict on what is not there any more


def test_the_rest_goes_by_choice_and_a_second_time_finds_nothing(host):
    passed("teardown", *settings(vllm_remove_weights=True))
    assert {f"vllm_{cache}" for cache in CACHES} & volumes(host) == set()
    output = passed("teardown", *settings(vllm_remove_weights=True))
    assert "changed=0" in output
