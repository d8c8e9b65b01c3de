# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking the Python sources out of a wheel without reading all of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tests.contract import cache, sources


class Watched(io.BytesIO):
    """An archive that tells what was read of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.read_bytes += len(content)
        return content


def wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("vllm/__init__.py", "first")
        archive.writestr("vllm/_C.so", bytes(5_000_000))
        archive.writestr("vllm/entrypoints/api.py", "second")
        archive.writestr("vllm/data.bin", bytes(1000))
        archive.writestr("vllm/last.py", "third")
        archive.writestr("vllm-1.0.dist-info/METADATA", "Name: vllm")
    return content.getvalue()


def test_only_the_sources_are_read_and_extracted(tmp_path: Path) -> None:
    archive = Watched(wheel())
    asked = sources.extract_sources(archive, tmp_path)
    found = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        "vllm/__init__.py": "first",
        "vllm/entrypoints/api.py": "second",
        "vllm/last.py": "third",
        "vllm-1.0.dist-info/METADATA": "Name: vllm",
    }
    assert asked < 10_000
    assert archive.read_bytes < 100_000


def test_near_members_are_one_request_and_far_ones_are_not() -> None:
    with zipfile.ZipFile(io.BytesIO(wheel())) as archive:
        members = [member for member in archive.infolist() if sources.is_wanted(member.filename)]
        assert len(sources.spans(members)) == 2
        assert sources.spans(reversed(members)) == sources.spans(members)


def test_the_digest_knows_names_and_contents_and_ignores_bytecode(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    before = cache.tree_digest(tmp_path)
    (tmp_path / "a.pyc").write_text("bytecode")
    assert cache.tree_digest(tmp_path) == before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = cache.tree_digest(tmp_path)
    (tmp_path / "b.py").write_text("y")
    assert len({before, renamed, cache.tree_digest(tmp_path)}) == 3


def test_a_folder_is_complete_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    folder = cache.named("kind", "0123456789abcdef")
    with pytest.raises(RuntimeError), cache.making(folder) as part:
        (part / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):  # the second one comes too late, which does no harm
        with cache.making(folder) as part:
            (part / "whole").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["kind-0123456789ab"]
