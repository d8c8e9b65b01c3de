# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.checkpoint import Tensor
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_folder import MARKER
from ansible_collections.toolserve.gpunode.plugins.modules import model_weights_info
from ansible_collections.toolserve.gpunode.tests.unit.plugins.model_folder import write_model

Run = Callable[..., dict[str, Any]]
POCKET = Path(__file__).parents[4] / "tests/pocket_model/model"


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    tensors = [Tensor(f"model.layers.{number}.weight", "BF16", (4, 4), 32) for number in range(4)]
    return write_model(tmp_path / "model", {"model_type": "qwen2"}, tensors, shards=2)


def test_whole_folders(run_module: Run, sharded: Path) -> None:
    for folder in (sharded, POCKET):
        result = run_module(model_weights_info, path=str(folder))
        assert (result["problems"], result["complete"], result["marker"]) == ([], False, None)
    assert result["present_bytes"] == sum(file.stat().st_size for file in POCKET.iterdir())


def test_what_is_missing_or_cut_off(run_module: Run, sharded: Path) -> None:
    shard = sharded / "model-00002-of-00002.safetensors"
    with shard.open("r+b") as opened:
        opened.truncate(shard.stat().st_size - 1)
    (problem,) = run_module(model_weights_info, path=str(sharded))["problems"]
    assert "model-00002-of-00002.safetensors is cut off" in problem
    shard.unlink()
    (problem,) = run_module(model_weights_info, path=str(sharded))["problems"]
    assert "model-00002-of-00002.safetensors cannot be read" in problem
    (sharded / "config.json").unlink()
    assert len(run_module(model_weights_info, path=str(sharded))["problems"]) == 2


def test_no_folder(run_module: Run, tmp_path: Path) -> None:
    result = run_module(model_weights_info, path=str(tmp_path / "a/b"))
    assert result["problems"] == [f"{tmp_path}/a/b is no folder on this node."]
    assert result["present_bytes"] == 0 and result["free_bytes"] == pytest.approx(
        shutil.disk_usage(tmp_path).free, rel=0.2
    )


def test_unfinished_files_count_and_notes_do_not(run_module: Run, sharded: Path) -> None:
    before = run_module(model_weights_info, path=str(sharded))["present_bytes"]
    cache = sharded / ".cache/huggingface/download"
    cache.mkdir(parents=True)
    (cache / "x.metadata").write_text("12345")
    (cache / "y.incomplete").write_bytes(bytes(100))
    (sharded / MARKER).write_text('{"source": "hub"}')
    result = run_module(model_weights_info, path=str(sharded))
    assert result["present_bytes"] == before + 100
    assert result["complete"] and result["marker"] == {"source": "hub"}


def test_a_marker_that_was_cut_off_is_none(run_module: Run, sharded: Path) -> None:
    (sharded / MARKER).write_text('{"source"')
    assert run_module(model_weights_info, path=str(sharded))["complete"] is False


def test_the_download_is_read(run_module: Run, sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho active\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "notes").write_text('{"phase": "downloading", "total": 1000}')
    result = run_module(model_weights_info, path=str(sharded), unit="x.service", notes=str(tmp_path / "notes"))
    assert result["download"]["running"] and result["download"]["total"] == 1000
    assert result["download"]["present"] == result["present_bytes"]
