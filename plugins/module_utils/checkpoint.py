# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a model's weights take in memory, and what of them is read for each token: from the files themselves.

A safetensors file begins with the length of a JSON header (8 bytes, little-endian), and the header says where each
tensor lies. Only headers are read, so that this takes milliseconds for any model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import ModelShape
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import SizingError

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
INDEX = "model.safetensors.index.json"
_FLOATS = {"F64", "F32", "F16", "BF16"}
_EMBEDDING = re.compile(r"(^|\.)(embed_tokens|wte|tok_embeddings|word_embeddings|embed_in)\.weight$")
_HEAD = re.compile(r"^(\w+\.)?(lm_head|embed_out|output)\.(weight|bias)$")
_EXPERT = re.compile(r"\.experts\.|block_sparse_moe\.(in|out)put_linear\.")
_POSITIONS = re.compile(r"(^|\.)(wpe|embed_positions)\.weight$")
# Parts of a model for pictures and sound: in memory, but no part of decoding.
_NOT_TEXT = re.compile(r"(^|\.)(visual|vision_\w+|audio_\w+|multi_modal_projector)\.")


@dataclass(frozen=True)
class Tensor:
    """One tensor of a checkpoint: the format's name of its dtype, and its size as stored."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    stored_bytes: int

    def bytes_as(self, dtype_bytes: int | None) -> int:
        """In memory, when unquantised numbers are kept with this size; None keeps all as stored."""
        if dtype_bytes is None or self.dtype not in _FLOATS:
            return self.stored_bytes
        numbers = 1
        for dimension in self.shape:
            numbers *= dimension
        return numbers * dtype_bytes


@dataclass(frozen=True)
class Weights:
    """Bytes in memory, and bytes read for one token of one request."""

    total: int
    read_per_token: float


def weights(tensors: Iterable[Tensor], shape: ModelShape, dtype_bytes: int | None = None) -> Weights:
    """Add up. An embedding is looked up, not read, unless it is the output head at the same time (tied)."""
    every = list(tensors)
    has_head = any(_HEAD.search(tensor.name) for tensor in every)
    total, read = 0, 0.0
    for tensor in every:
        size = tensor.bytes_as(dtype_bytes)
        if shape.tied_embeddings and _HEAD.search(tensor.name):
            continue  # a second copy of the embedding, which no server loads
        total += size
        if _NOT_TEXT.search(tensor.name) or _POSITIONS.search(tensor.name):
            continue
        if _EMBEDDING.search(tensor.name):
            read += 0 if has_head and not shape.tied_embeddings else size
        elif _EXPERT.search(tensor.name):
            read += size * shape.active_fraction
        else:
            read += size
    if not total:
        raise SizingError("the checkpoint holds no tensors")
    return Weights(total, read)


def snapshot(path: Path) -> Path:
    """The folder with the files: ``path`` itself, or the newest snapshot where it is a model in a hub's cache."""
    if not path.is_dir():
        raise SizingError(f"{path} is no folder")
    snapshots = path / "snapshots"
    if not snapshots.is_dir():
        return path
    main = path / "refs/main"
    if main.is_file():
        return snapshots / main.read_text(encoding="utf-8").strip()
    found = sorted(snapshots.iterdir(), key=lambda folder: folder.stat().st_mtime)
    if not found:
        raise SizingError(f"{snapshots} is empty: nothing has been downloaded")
    return found[-1]


def config(folder: Path) -> dict[str, Any]:
    """The model's config.json."""
    document = _json((folder / "config.json").read_bytes, f"{folder}/config.json")
    if not isinstance(document, dict):
        raise SizingError(f"{folder}/config.json is no JSON object")
    return document


def has_weights(folder: Path) -> bool:
    """Whether there are safetensors files, or should be."""
    return (folder / INDEX).is_file() or any(folder.glob("*.safetensors"))


def tensors(folder: Path) -> list[Tensor]:
    """Of every shard. SizingError when there are none, or when one is missing or cut off."""
    return [tensor for shard in _shards(folder) for tensor in header(shard)]


def header(file: Path) -> list[Tensor]:
    """The tensors of one safetensors file."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise SizingError(f"{file} is no safetensors file, or its download was interrupted ({size} bytes)")
            content = opened.read(length)
    except OSError as error:
        raise SizingError(f"{file} cannot be read: {error.strerror}") from error
    document = _json(lambda: content, f"the header of {file}")
    try:
        found = [
            Tensor(name, entry["dtype"], tuple(entry["shape"]), entry["data_offsets"][1] - entry["data_offsets"][0])
            for name, entry in document.items()
            if name != "__metadata__"
        ]
        ends = max((entry["data_offsets"][1] for name, entry in document.items() if name != "__metadata__"), default=0)
    except (AttributeError, KeyError, TypeError, IndexError):
        raise SizingError(f"the header of {file} is not that of a safetensors file") from None
    if size < 8 + length + ends:
        raise SizingError(f"{file} is cut off: {size} bytes of {8 + length + ends}; download it again")
    return found


def _shards(folder: Path) -> list[Path]:
    """An index names the shards; without one every file counts but Mistral's second copy of all weights."""
    index = folder / INDEX
    if index.is_file():
        document = _json(index.read_bytes, str(index))
        mapping = document.get("weight_map") if isinstance(document, dict) else None
        if not isinstance(mapping, dict):
            raise SizingError(f"{index} holds no weight_map")
        return [folder / name for name in sorted(set(mapping.values()))]
    found = sorted(folder.glob("*.safetensors"))
    found = [file for file in found if not file.name.startswith("consolidated")] or found
    if not found:
        raise SizingError(f"{folder} holds no safetensors files")
    return found


def _json(read: Any, what: str) -> Any:
    try:
        return json.loads(read())
    except OSError as error:
        raise SizingError(f"{what} cannot be read: {error.strerror}") from error
    except ValueError:
        raise SizingError(f"{what} is not JSON") from None
