# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.modules import json_settings

Run = Callable[..., dict[str, Any]]
OWNERS = '{\n\t// mine\n\t"theme": "dark",\n}\n'
MERGED = '{\n\t// mine\n\t"theme": "dark",\n\t"model": "vllm/m"\n}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent" / "opencode.json"


@pytest.fixture
def run(run_module: Run, file: Path) -> Run:
    def call(content: str | None = None, **options: Any) -> dict[str, Any]:
        if content is not None:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content.encode())
        return run_module(json_settings, **{"path": str(file), **options})

    return call


def test_a_missing_file_is_made_with_its_folder(run: Run, file: Path) -> None:
    result = run(settings={"a": 1}, defaults={"b": 2})
    assert result["changed"] and result["changed_keys"] == ["b", "a"]
    assert file.read_text() == '{\n  "b": 2,\n  "a": 1\n}\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert not run(settings={"a": 1}, defaults={"b": 3})["changed"]


def test_a_users_file_is_extended_and_kept(run: Run, file: Path) -> None:
    run(OWNERS)
    file.chmod(0o600)
    result = run(settings={"model": "vllm/m"})
    assert file.read_text() == MERGED
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Path(result["backup_file"]).read_text() == OWNERS
    second = run(settings={"model": "vllm/m"})
    assert not second["changed"] and "backup_file" not in second
    assert len(list(file.parent.iterdir())) == 2


def test_a_link_is_followed(run: Run, file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    file.parent.mkdir()
    file.symlink_to(real)
    run(settings={"a": 1})
    assert file.is_symlink() and real.read_text() == '{\n  "a": 1\n}'


def test_check_mode_changes_nothing(run: Run, file: Path) -> None:
    result = run(OWNERS, settings={"model": "vllm/m"}, check_mode=True)
    assert result["changed"] and result["changed_keys"] == ["model"]
    assert file.read_text() == OWNERS
    assert len(list(file.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "the file is empty"), ("{", "not valid JSON"), ('{"provider": 3}', "provider holds 3")],
)
def test_what_cannot_be_merged_is_left_as_it_is(run: Run, file: Path, content: str, said: str) -> None:
    result = run(content, settings={"provider": {"vllm": {}}})
    assert result["failed"] and said in result["msg"] and "left as it is" in result["msg"]
    assert file.read_text() == content
    assert len(list(file.parent.iterdir())) == 1


def test_the_difference_shows_no_secret(run: Run) -> None:
    secret = '{"provider": {"other": {"options": {"apiKey": "sk-canary"}}}}'
    result = run(secret, settings={"a": 1}, _ansible_diff=True)
    assert "sk-canary" not in str(result)
    assert "other" in result["diff"]["after"]


def test_what_is_returned_is_what_is_documented(run: Run) -> None:
    result = run(OWNERS, settings={"a": 1})
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert result.pop("changed") is True
    assert result.keys() == yaml.safe_load(json_settings.RETURN).keys()
