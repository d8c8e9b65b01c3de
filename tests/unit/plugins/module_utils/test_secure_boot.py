# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.secure_boot import key_enrolled, read

OF_SHIM, OF_DKMS = "var/lib/shim-signed/mok/MOK.der", "var/lib/dkms/mok.pub"
VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\0", False), (b"\x16\0\0\0\x01", True), (b"", None)],
)
def test_the_last_byte_counts(tmp_path: Path, content: bytes, expected: bool | None) -> None:
    path = tmp_path / VARIABLE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert read(tmp_path) is expected


def test_a_machine_without_efi_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) is False


def test_variables_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "sys/firmware/efi").mkdir(parents=True)
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("distribution", "files", "asked"),
    [
        ("ubuntu", {}, None),
        ("ubuntu", {OF_SHIM: "", OF_DKMS: ""}, f"/{OF_SHIM}"),
        ("debian", {OF_SHIM: "", OF_DKMS: ""}, f"/{OF_DKMS}"),
        (
            "debian",
            {"etc/dkms/framework.conf": '# mok_certificate=/no\nmok_certificate="/root/own.der"\n', "root/own.der": ""},
            "/root/own.der",
        ),
        ("debian", {"etc/dkms/framework.conf.d/a.conf": "mok_certificate=/root/own.der", OF_DKMS: ""}, None),
    ],
)
@pytest.mark.parametrize("enrolled", [True, False])
def test_the_key_of_dkms(
    tmp_path: Path, distribution: str, files: dict[str, str], asked: str | None, enrolled: bool
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    commands: list[Sequence[str]] = []

    def ask(command: Sequence[str]) -> str:
        commands.append(command)
        return f"{command[-1]} is {'already' if enrolled else 'not'} enrolled\n"

    assert key_enrolled(tmp_path, distribution, ask) is (enrolled and asked is not None)
    assert commands == ([("mokutil", "--test-key", asked)] if asked else [])
