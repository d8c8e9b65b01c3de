# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import ssh_host_keys

# Made for these tests with ssh-keygen; what it says of them stands beside them.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILZGcwtDIZN+B5pZxgCURlDo8PHsHLDK+HzdyFDlpGwI"
ED25519_MD5 = "fa:25:81:fb:f2:e6:a4:32:d5:e5:c7:0a:c1:19:23:1a"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFFP9S8B0/iOze5ihQ04vG2E6Hgm/oz8V7VUq47xc"
    "3ZoXmgUFTSX95RS60TZW40z9JByrGhbUWB+icPiiuPSp2Y="
)
SCANNED = f"# 192.0.2.7:22 SSH-2.0-OpenSSH_9.2p1\n192.0.2.7 {ED25519}\n[192.0.2.7]:2222 {ECDSA}\n"


def sha256(key: str) -> str:
    return ssh_host_keys.fingerprints(key)[0]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
@pytest.mark.parametrize("key", [ED25519, ECDSA])
def test_fingerprints_are_those_of_openssh(tmp_path: Path, key: str, algorithm: str) -> None:
    (tmp_path / "key.pub").write_text(key)
    command = ["ssh-keygen", "-l", "-E", algorithm, "-f", str(tmp_path / "key.pub")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]
    assert getattr(ssh_host_keys.read(key)[0], algorithm) == said.removeprefix("MD5:")


def test_keys_are_read_from_all_that_openssh_writes() -> None:
    known = f"|1|ZGRNBo8riI9EvXjfL6E+qBiE1zI=|81iTG7slrfSUEkhCwb68JyOEniQ= {ED25519}\n@revoked host {ECDSA} comment\n"
    for text in (SCANNED, known, f"{ED25519} me@laptop\n{ECDSA}\n{ED25519}\n"):
        assert ssh_host_keys.texts(text) == [ED25519, ECDSA]
    assert ssh_host_keys.texts("ssh-ed25519 is a kind of key\nssh-rsa AAAA!\n\n") == []


@pytest.mark.parametrize(
    "fingerprint",
    [
        sha256(ED25519),
        sha256(ED25519).removeprefix("SHA256:"),  # Robot
        sha256(ED25519) + "=",
        ED25519_MD5,
        f"MD5:{ED25519_MD5.upper()}",
        f" {sha256(ED25519)}\n",
    ],
)
def test_a_fingerprint_may_be_written_in_many_ways(fingerprint: str) -> None:
    assert ssh_host_keys.judge(SCANNED, [fingerprint]) == {
        "state": "expected",
        "keys": [ED25519],  # the other one is not known by it
        "seen": [f"ssh-ed25519 {sha256(ED25519)}", f"ecdsa-sha2-nistp256 {sha256(ECDSA)}"],
    }
    assert ssh_host_keys.fingerprint_problems([fingerprint]) == []


@pytest.mark.parametrize(
    ("scanned", "expected", "previous", "state"),
    [
        ("", [sha256(ED25519)], [], "none"),
        ("# 192.0.2.7:22 SSH-2.0-OpenSSH_9.2p1\n", [sha256(ED25519)], [], "none"),
        (SCANNED, [sha256(ECDSA)], [sha256(ED25519)], "expected"),
        (SCANNED, ["A" * 43], [sha256(ED25519)], "previous"),
        (SCANNED, ["A" * 43], ["B" * 43], "other"),
        (SCANNED, [], [], "other"),
        (SCANNED, [sha256(ED25519).swapcase()], [], "other"),
    ],
)
def test_what_a_server_shows(scanned: str, expected: list[str], previous: list[str], state: str) -> None:
    judged = ssh_host_keys.judge(scanned, expected, previous)
    assert judged["state"] == state and (judged["keys"] != []) is (state == "expected")


@pytest.mark.parametrize("given", ["", "SHA256:short", "ab:cd", ED25519, "SHA256:" + "A" * 44, "zz:" * 15 + "zz"])
def test_what_is_no_fingerprint(given: str) -> None:
    assert "is no fingerprint" in ssh_host_keys.fingerprint_problems([given])[0]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"rescue": {"active": True, "host_key": [], "boot_time": None}}, []),
        ({"rescue": {"host_key": None}}, []),
        ({}, []),
        ({"rescue": {"host_key": [{"key": {"fingerprint": "abc", "type": "ED25519", "size": 256}}]}}, ["abc"]),
        ({"rescue": {"host_key": ["abc", {"fingerprint": "def"}]}}, ["abc", "def"]),
    ],
)
def test_what_robot_tells_of_a_rescue_system(answer: dict[str, Any], told: list[str]) -> None:
    assert ssh_host_keys.of_rescue_system(answer) == told


def test_peoples_keys_have_a_name_and_robots_fingerprint() -> None:
    keys = ssh_host_keys.public_keys([f"{ED25519} me@my laptop", ECDSA, ED25519])
    assert keys[0]["fingerprint"] == ED25519_MD5
    assert [key["text"] for key in keys] == [ED25519, ECDSA]
    assert keys[0]["name"] == "me@my laptop" and keys[1]["name"].startswith("ecdsa-sha2-nistp256 ")
