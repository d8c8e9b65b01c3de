# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.read_ssh_public_keys import read_ssh_public_keys
from ansible_collections.toolserve.gpunode.plugins.module_utils import ssh_public_key

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2xGh3KPwQcPjRkMcDRYtLWn3ZGzq2Xi4v4k8VxqYhd me@here"


def key(kind: str, *fields: bytes) -> str:
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()}"


def problems(text: str) -> list[str]:
    return list(ssh_public_key.problems(text, "It"))


@pytest.mark.parametrize(
    "text", [ED25519, ED25519.rsplit(" ", 1)[0], f"# mine\n{ED25519}\n\n{key('ssh-rsa', b'e', b'n')}\n"]
)
def test_whole_keys_are_taken(text):
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n", "private key"),
        ("# only a comment\n", "holds no key"),
        (key("ssh-dss", b"x"), "DSA"),
        (f"from=10.0.0.1 {ED25519}", "no type of key"),
        ("ssh-ed25519 AAAA!", "cut off"),
        ("ssh-ed25519", "no complete key"),
        (key("ssh-ed25519"), "no complete key"),
        (ED25519.replace("IJ2xGh3KPwQcPjRkMcDRYtLWn3ZGzq2Xi4v4k8VxqYhd", "IJ2xGh3KPwQc"), "no complete key"),
        (ED25519.replace("ssh-ed25519 ", "ssh-rsa "), "no complete key of the type ssh-rsa"),
        (f"{ED25519}\nssh-rsa AAAA", "key 2"),
    ],
)
def test_what_is_no_public_key_is_told_without_repeating_it(text, told):
    (problem,) = problems(text)
    assert told in problem and "c2VjcmV0" not in problem and "AAAA" not in problem


def test_files_and_texts_are_read_and_each_key_is_there_once(tmp_path):
    path = tmp_path / "id.pub"
    path.write_text(f"{ED25519}\n")
    assert read_ssh_public_keys([str(path), ED25519, "/absent/id.pub"]) == {
        "keys": [ED25519],
        "problems": ["/absent/id.pub cannot be read on this machine (No such file or directory)."],
    }
