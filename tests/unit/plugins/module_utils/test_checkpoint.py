# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading safetensors headers: of what is there, and of what went wrong on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import checkpoint, model_shape
from ansible_collections.toolserve.gpunode.plugins.module_utils.checkpoint import Tensor
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import SizingError
from ansible_collections.toolserve.gpunode.tests.unit.plugins.model_folder import write_model, write_safetensors
from hypothesis import given
from hypothesis import strategies as st

TENSORS = [Tensor("a.weight", "BF16", (4, 8), 64), Tensor("b.weight", "F8_E4M3", (16,), 16)]
POCKET = Path(__file__).parents[3] / "pocket_model/model"


def test_a_file_that_another_program_has_written() -> None:
    shape = model_shape.from_config(checkpoint.config(POCKET))
    tensors = checkpoint.tensors(POCKET)
    size = (POCKET / "model.safetensors").stat().st_size
    assert 0 < size - sum(tensor.stored_bytes for tensor in tensors) < 20_000  # the header
    assert checkpoint.weights(tensors, shape, 4).total == 2 * checkpoint.weights(tensors, shape).total


def test_headers_come_back_as_written(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", TENSORS)
    assert checkpoint.header(tmp_path / "model.safetensors") == TENSORS


def test_a_snapshot_in_the_cache_of_a_hub(tmp_path: Path) -> None:
    cache = tmp_path / "models--org--name"
    write_model(cache / "snapshots/abc", {}, TENSORS)
    assert checkpoint.snapshot(cache) == cache / "snapshots/abc"
    write_model(cache / "snapshots/def", {}, TENSORS)
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("abc\n")
    assert checkpoint.snapshot(cache) == cache / "snapshots/abc"
    assert checkpoint.snapshot(cache / "snapshots/def") == cache / "snapshots/def"


def test_a_second_copy_of_the_weights_does_not_count(tmp_path: Path) -> None:
    write_model(tmp_path, {}, TENSORS)
    write_safetensors(tmp_path / "consolidated.safetensors", TENSORS)
    assert checkpoint.tensors(tmp_path) == TENSORS
    (tmp_path / "model.safetensors").unlink()
    assert checkpoint.tensors(tmp_path) == TENSORS


def test_a_missing_shard(tmp_path: Path) -> None:
    write_model(tmp_path, {}, TENSORS, shards=2)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(SizingError, match=r"00002-of-00002.* cannot be read"):
        checkpoint.tensors(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no safetensors file"),
        ((20).to_bytes(8, "little") + b"{" * 20, "is not JSON"),
        ((2).to_bytes(8, "little") + b"[]", "not that of a safetensors file"),
        ((7).to_bytes(8, "little") + b'{"a":1}', "not that of a safetensors file"),
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(SizingError, match=said):
        checkpoint.header(file)


@given(st.integers(0, 79))
def test_an_interrupted_download_is_told_wherever_it_stopped(
    tmp_path_factory: pytest.TempPathFactory, lost: int
) -> None:
    file = tmp_path_factory.mktemp("cut") / "model.safetensors"
    write_safetensors(file, TENSORS)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - lost - 1)
    with pytest.raises(SizingError, match="cut off"):
        checkpoint.header(file)


def test_folders_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(SizingError, match="no folder"):
        checkpoint.snapshot(tmp_path / "absent")
    with pytest.raises(SizingError, match="holds no safetensors"):
        checkpoint.tensors(tmp_path)
    with pytest.raises(SizingError, match=r"config\.json cannot be read"):
        checkpoint.config(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(SizingError, match="no JSON object"):
        checkpoint.config(tmp_path)
    (tmp_path / "snapshots").mkdir()
    with pytest.raises(SizingError, match="nothing has been downloaded"):
        checkpoint.snapshot(tmp_path)
    (tmp_path / checkpoint.INDEX).write_text(json.dumps({}))
    with pytest.raises(SizingError, match="no weight_map"):
        checkpoint.tensors(tmp_path)
