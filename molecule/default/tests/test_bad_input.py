# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends the play with a message that names the fix, before anything is changed.

Each reason alone has its unit tests; here a real node is looked at, as few times as that takes.
"""

from __future__ import annotations

import json
import uuid

from playing import play, refused


def settings(**values: object) -> tuple[str, str]:
    return ("--extra-vars", json.dumps(values))


def test_unknown_profile():
    message = refused(*settings(gpunode_profile="qwen2.5-14b-instruct-awk"))
    assert "Did you mean qwen2.5-14b-instruct-awq?" in message


def test_port_in_use_by_a_process(host):
    host.check_output("systemd-run --unit=squatter python3 -m http.server 8123")
    try:
        message = refused(*settings(gpunode_listen_port=8123))
    finally:
        host.check_output("systemctl stop squatter")
    assert "Port 8123 of this node is in use already, by python3 (pid" in message
    assert "gpunode_listen_port" in message


def test_address_that_others_reach_without_a_key():
    message = refused(*settings(gpunode_allow_unauthenticated=False))
    assert "gpunode_api_key is not set" in message and "1 reason to stop" in message


def test_everything_at_once():
    """Not one reason for each run."""
    message = refused(
        *settings(
            gpunode_accelerator="cuda",
            gpunode_allow_unauthenticated=False,
            gpunode_listen_adress="127.0.0.1",
            vllm_api_key="abc",
            vllm_environment={"A": "it's"},
            vllm_extra_arguments={"tool-call-parser": "hermes"},
            vllm_image_archive="/srv/bench/absent.tar",
            vllm_image="toolserve-bench/absent:1",
            vllm_model_path="/srv/bench/absent",
            vllm_project_name="second",
            vllm_release="0.9.2",
        )
    )
    reasons = [
        "Say it as gpunode_api_key instead",
        "Probably meant: gpunode_listen_address",
        "pocket needs vLLM 0.32.0 or newer",
        "holds a single quote or a line break",
        "/srv/bench/absent/config.json does not exist",
        "The image toolserve-bench/absent:1 is not on this node",
        "vllm_extra_arguments sets tool-call-parser",
        "must not be reachable from outside",
        "in use already, by the container vllm-server",
        "No NVIDIA GPU is on the PCI bus",
    ]
    assert [reason for reason in reasons if reason not in message] == []
    assert message.count(" reasons to stop. Nothing was changed on this node.") == 2  # on stderr, and with the task
    # By the roles for the driver and for vLLM, in the same words: told once on stderr and once with the task.
    assert message.count("No NVIDIA GPU is on the PCI bus") == 2


def test_everything_else_at_once():
    message = refused(
        *settings(
            gpunode_api_key="it's secret",
            gpunode_listen_address="203.0.113.5",
            gpunode_profile_overrides={"tool_calls": {"parser": "mine", "parser_plugin": "mine.py"}},
            vllm_image="toolserve-bench/absent:1",
            vllm_image_source="present",
        )
    )
    reasons = [
        "203.0.113.5, which this node does not have",
        "names files that neither this role nor vllm_own_files has: mine.py",
        "holds a single quote or a line break",
        "Load it there, correct vllm_image, or set vllm_image_source",
    ]
    assert [reason for reason in reasons if reason not in message] == []
    assert "it's secret" not in message


def test_image_that_no_registry_has():
    """Only the registry can say this, so it comes after the files are written; nothing that runs is touched."""
    image = f"registry.invalid/absent:{uuid.uuid4().hex[:8]}"
    values = settings(vllm_image=image, vllm_image_source="pull", vllm_image_disk_gb=1)
    result = play("--tags", "vllm", *values)
    message = " ".join(result.stdout.split()) + result.stderr
    assert result.returncode != 0
    assert f"The image {image} could not be pulled" in message
    assert "vllm_image_source archive" in message
