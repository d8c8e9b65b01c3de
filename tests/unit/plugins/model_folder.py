# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders like those of a model hub, with safetensors files that are as long as the real ones and hold nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.checkpoint import Tensor


def write_safetensors(file: Path, tensors: Iterable[Tensor]) -> None:
    """A header as the format wants it, and a hole instead of the data."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.stored_bytes
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
    header = json.dumps(entries).encode()
    with file.open("wb") as opened:
        opened.write(len(header).to_bytes(8, "little") + header)
        opened.truncate(8 + len(header) + end)


def write_model(folder: Path, config: Mapping[str, Any], tensors: list[Tensor], shards: int = 1) -> Path:
    """A folder with config.json and the weights, with an index when there are several shards."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return folder
    names = [f"model-{number + 1:05}-of-{shards:05}.safetensors" for number in range(shards)]
    for number, name in enumerate(names):
        write_safetensors(folder / name, tensors[number::shards])
    weight_map = {tensor.name: names[number % shards] for number, tensor in enumerate(tensors)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder
