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
from ansible_collections.toolserve.gpunode.plugins.modules import generated_file

Run = Callable[..., dict[str, Any]]
FIRST = "model: one\n"
SECOND = "model: two\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent" / "vllm.yaml"


@pytest.fixture
def run(run_module: Run, file: Path) -> Run:
    def call(content: str, **options: Any) -> dict[str, Any]:
        return run_module(generated_file, **{"path": str(file), "content": content, **options})

    return call


def test_a_file_is_written_once_and_follows_what_is_to_be_said(run: Run, file: Path) -> None:
    result = run(FIRST)
    assert result["changed"] and result["file"] == str(file) and "backup_file" not in result
    assert yaml.safe_load(file.read_text()) == {"model": "one"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    before = file.read_bytes()
    assert not run(FIRST)["changed"]
    assert file.read_bytes() == before
    result = run(SECOND)
    assert result["changed"] and Path(result["backup_file"]).read_bytes() == before
    assert yaml.safe_load(file.read_text()) == {"model": "two"}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: f"{text}mine: true\n",
        lambda text: text.replace("one", "mine"),
        lambda text: text + "# only a comment\n",
        lambda _text: "model: mine\n",  # was never ours
        lambda text: text.partition("\n")[2].replace("one", "one and mine"),  # without the first line
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_what_somebody_has_changed_is_left_and_the_text_is_shown(
    run: Run, file: Path, change: Callable[[str], str], check_mode: bool
) -> None:
    run(FIRST)
    file.write_text(change(file.read_text()))
    theirs = file.read_bytes()
    result = run(SECOND, check_mode=check_mode)
    assert result["failed"] and "left as it is" in result["msg"] and SECOND in result["msg"]
    assert file.read_bytes() == theirs
    assert len(list(file.parent.iterdir())) == 1


def test_a_file_that_says_it_already_is_right(run: Run, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"# mine\nother: 1\n{FIRST}# the end\n")
    assert not run(FIRST)["changed"]
    assert file.read_text() == f"# mine\nother: 1\n{FIRST}# the end\n"


def test_an_empty_file_has_no_owner(run: Run, file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    assert run(FIRST)["changed"]


def test_another_comment(run: Run, file: Path) -> None:
    run("{}", comment="//")
    first, second = file.read_text().splitlines()
    assert first.startswith("// Written by toolserve.gpunode") and second == "{}"
    assert not run("{}", comment="//")["changed"]


def test_a_link_is_followed(run: Run, file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    file.symlink_to(tmp_path / "dotfiles.yaml")
    run(FIRST)
    assert file.is_symlink() and FIRST in (tmp_path / "dotfiles.yaml").read_text()


def test_check_mode_changes_nothing(run: Run, file: Path) -> None:
    assert run(FIRST, check_mode=True)["changed"]
    assert not file.parent.exists()


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_what_cannot_be_read_is_left(run: Run, file: Path, content: bytes | None) -> None:
    if content is None:
        file.mkdir(parents=True)
    else:
        file.parent.mkdir()
        file.write_bytes(content)
    assert run(FIRST)["failed"]


def test_the_difference(run: Run) -> None:
    assert "model: one" in run(FIRST, _ansible_diff=True)["diff"]["after"]
    assert "diff" not in run(FIRST, _ansible_diff=True)


def test_what_is_returned_is_what_is_documented(run: Run) -> None:
    run(FIRST)
    result = run(SECOND)
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert result.pop("changed") is True
    assert result.keys() == yaml.safe_load(generated_file.RETURN).keys()
