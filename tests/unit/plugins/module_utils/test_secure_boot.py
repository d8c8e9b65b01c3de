# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.secure_boot import read

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
