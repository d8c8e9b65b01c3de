# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.modules import dpkg_status_copy as subject

Run = Callable[..., dict[str, Any]]
STATUS = b"Package: a\nMaintainer: J\xf6rg\nArchitecture: amd64\n\nPackage: b\nArchitecture: all\n\n"


def test_the_copy_lacks_what_is_named_and_keeps_every_other_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run
) -> None:
    monkeypatch.setattr(subject, "ask", lambda command: "amd64\n")
    (tmp_path / "status").write_bytes(STATUS)
    options = {"status": str(tmp_path / "status"), "dest": str(tmp_path / "copy"), "without": ["b"]}
    assert run_module(subject, **options)["changed"] is True
    assert (tmp_path / "copy").read_bytes() == STATUS[: STATUS.index(b"Package: b")]
    assert (tmp_path / "status").read_bytes() == STATUS
    options["without"] = ["a"]
    assert run_module(subject, **options)["changed"] is True
    assert run_module(subject, **options)["changed"] is False


@pytest.mark.parametrize(("status", "dest"), [("none", "copy"), ("status", "none/copy")])
def test_what_cannot_be_read_or_written_is_told(tmp_path: Path, run_module: Run, status: str, dest: str) -> None:
    (tmp_path / "status").write_bytes(STATUS)
    result = run_module(subject, status=str(tmp_path / status), dest=str(tmp_path / dest))
    assert result["failed"] and "none" in result["msg"]
