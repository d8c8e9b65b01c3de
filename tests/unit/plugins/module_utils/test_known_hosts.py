# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import known_hosts
from ansible_collections.toolserve.gpunode.tests.unit.plugins.module_utils.test_ssh_host_keys import ECDSA, ED25519

NAME = "[192.0.2.7]:2222"


def asked(*options: str) -> str:
    """What the real SSH says."""
    return subprocess.run(["ssh", "-G", "-F", "none", *options], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("options", "host", "port", "name", "file"),
    [
        (["192.0.2.7"], "192.0.2.7", 22, "192.0.2.7", str(Path.home() / ".ssh/known_hosts")),
        (["-p", "2222", "root@192.0.2.7"], "192.0.2.7", 2222, NAME, str(Path.home() / ".ssh/known_hosts")),
        (["-o", "UserKnownHostsFile=/a /b", "-o", "HostKeyAlias=gpu1", "x"], "x", 22, "gpu1", "/a"),
        (["-o", "UserKnownHostsFile=/dev/null", "x"], "x", 22, "x", ""),
        (["-o", "UserKnownHostsFile=none", "x"], "x", 22, "x", ""),
        (["2001:db8::7"], "2001:db8::7", 22, "2001:db8::7", str(Path.home() / ".ssh/known_hosts")),
    ],
)
def test_where_ssh_goes(options: list[str], host: str, port: int, name: str, file: str) -> None:
    said = asked(*options)
    target = known_hosts.target(said)
    told = target.pop("problems")
    assert target == {"host": host, "port": port, "name": name, "known_hosts": file}
    assert [problem[:45] for problem in told] == ([] if file else ["SSH is told to remember no host keys of x (Us"])
    assert known_hosts.target(said, "~/other")["known_hosts"] == str(Path.home() / "other")


@pytest.mark.parametrize(
    ("options", "file", "checking", "told"),
    [
        ([], "", True, []),
        (["-o", "StrictHostKeyChecking=yes"], "~/.ssh/known_hosts", True, []),
        (["-o", "UserKnownHostsFile=/a /b"], "/b", True, []),
        ([], "", False, ["host_key_checking"]),
        (["-o", "StrictHostKeyChecking=yes"], "", False, ["host_key_checking"]),
        (["-o", "StrictHostKeyChecking=no"], "", True, ["StrictHostKeyChecking of SSH is no"]),
        (["-o", "StrictHostKeyChecking=off"], "", True, ["StrictHostKeyChecking of SSH is no"]),
        (["-o", "StrictHostKeyChecking=accept-new"], "", True, ["StrictHostKeyChecking of SSH is accept-new"]),
        (["-o", "UserKnownHostsFile=/a"], "/b", True, ["hetzner_bootstrap_known_hosts is /b, and SSH reads /a"]),
        (["-o", "UserKnownHostsFile=/dev/null"], "/b", True, ["hetzner_bootstrap_known_hosts is /b"]),
        (["-o", "UserKnownHostsFile=/dev/null"], "/dev/null", True, ["hetzner_bootstrap_known_hosts is /dev/null"]),
        (
            ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"],
            "",
            False,
            ["host_key_checking", "StrictHostKeyChecking", "remember no host keys"],
        ),
    ],
)
def test_whether_ssh_would_notice_a_foreign_server(
    options: list[str], file: str, checking: bool, told: list[str]
) -> None:
    problems = known_hosts.target(asked(*options, "192.0.2.7"), file, checking)["problems"]
    assert len(problems) == len(told)
    assert all(part in problem for part, problem in zip(told, problems, strict=True))


@pytest.mark.parametrize(
    ("found", "changed", "remove", "add"),
    [
        ("", True, False, [ED25519]),
        (f"# Host {NAME} found: line 1\n{NAME} {ED25519}\n", False, False, []),
        (f"|1|salt=|hash= {ED25519}\n", False, False, []),
        (f"{NAME} {ECDSA}\n", True, True, [ED25519]),
        (f"{NAME} {ED25519}\n{NAME} {ECDSA}\n", True, True, [ED25519]),
        (f"# Host {NAME} found: line 4 CA\n@cert-authority {NAME} {ECDSA}\n", True, False, [ED25519]),
    ],
)
def test_the_least_change(found: str, changed: bool, remove: bool, add: list[str]) -> None:
    plan = known_hosts.plan(found, NAME, [ED25519])
    assert plan == {"changed": changed, "remove": remove, "add": [f"{NAME} {key}" for key in add], "others": []}


def test_other_hosts_of_a_line_stay_known() -> None:
    plan = known_hosts.plan(f"gpu1,{NAME},192.0.2.8 {ECDSA}\n", NAME, [ED25519])
    assert plan["others"] == [
        {"name": "gpu1", "line": f"gpu1 {ECDSA}"},
        {"name": "192.0.2.8", "line": f"192.0.2.8 {ECDSA}"},
    ]
    assert known_hosts.plan(f"gpu1,{NAME} {ED25519}\n", NAME, [ED25519])["others"] == []
