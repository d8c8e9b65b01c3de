# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary key, token and value: the server has them, and nothing else shows them."""

from __future__ import annotations

import json
import subprocess

import pytest
from operating import CANARIES, EVIDENCE, KEY, TOKEN, passed, status_of

PROJECT = "/opt/vllm"


def shown(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def test_the_server_has_them(host):
    assert (status_of(host, KEY), status_of(host, "wrong")) == ("200", "401")
    # As vLLM's own hub client finds it.
    token = "import huggingface_hub; print(huggingface_hub.get_token())"
    assert host.check_output(f"docker exec vllm-server python3 -c '{token}'") == TOKEN
    environment = host.check_output("docker exec vllm-server cat /proc/1/environ")
    assert "OWNERS_SECRET=canary-value-77d2 $HOME" in environment


@pytest.mark.parametrize(
    "command",
    [
        "docker inspect vllm-server",
        "docker image inspect $(docker inspect --format '{{.Image}}' vllm-server)",
        "docker logs vllm-server 2>&1",
        "docker compose --project-directory /opt/vllm config",
        "docker top vllm-server",
        "ps -eo args --width 10000",
        "cat /opt/vllm/compose.yaml /opt/vllm/profile.json",
        "cat /etc/systemd/system/gpunode-verify.*",
        "cat /var/lib/prometheus/node-exporter/toolserve_verify.prom",
        "journalctl --no-pager",
    ],
)
def test_no_command_on_the_node_shows_them(host, command):
    output = host.check_output(command)
    assert len(output) > 40
    assert shown(output) == []


def test_no_process_of_the_container_shows_them():
    output = subprocess.run(["ps", "-eo", "args", "-ww"], capture_output=True, text=True, check=True).stdout
    assert "vllm.entrypoints" in output
    assert shown(output) == []


def test_only_root_reads_the_files_that_hold_them(host):
    holding = host.run(f"grep -rlE '{'|'.join(CANARIES)}' /opt /etc /var/lib/prometheus /srv /root /tmp /run").stdout
    files = {f"{PROJECT}/vllm.env", f"{PROJECT}/hf_token", "/opt/gpunode-verify/settings.json"}
    assert set(holding.split()) == files
    for path in files:
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", 0o600)


def test_the_evidence_does_not_hold_them():
    for suffix in (".json", ".md", ".junit.xml"):
        assert shown(EVIDENCE.with_suffix(suffix).read_text()) == []


def test_ansible_does_not_print_them(tmp_path):
    """All that it has to say, with all secrets changed: what a diff would show. In a file, as a vault is one."""
    others = {"gpunode_api_key": f"{KEY}-2", "vllm_hf_token": f"{TOKEN}-2", "vllm_environment": {"OTHER": CANARIES[2]}}
    vault = tmp_path / "vault.json"
    vault.write_text(json.dumps(others))
    output = passed("site", "--tags", "vllm", "--check", "--diff", "-vvvv", "--extra-vars", f"@{vault}")
    assert "Write the environment file" in output and "changed: [gpunode-operation]" in output
    assert shown(output) == []
