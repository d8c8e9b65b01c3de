# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.modules import apt_rival_sources_info as subject

Run = Callable[..., dict[str, Any]]
LINE = "deb https://example.org/toolkit/deb/amd64 /\n"


@pytest.mark.parametrize("check_mode", [False, True])
def test_one_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Run, check_mode: bool) -> None:
    monkeypatch.setattr(subject, "ROOT", tmp_path)
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "a.list").write_text(LINE)
    (folder / "b.list").write_text(f"{LINE}deb https://example.org/debian x main\n")
    arguments = {"addresses": ["https://example.org/toolkit"], "own_file": str(folder / "own.sources")}
    result = run_module(subject, check_mode=check_mode, **arguments)
    assert [file["path"] for file in result["superseded"]] == ["/etc/apt/sources.list.d/a.list"]
    assert len(result["reasons_to_stop"]) == 1
    documented = yaml.safe_load(subject.RETURN)
    assert result["superseded"][0].keys() == documented["superseded"]["contains"].keys()
    assert documented.keys() <= result.keys()
    assert result["changed"] is False
