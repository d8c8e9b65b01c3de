# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_sources import Repository, read

URL = "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/"


def _read(root: Path, name: str, content: str) -> list[Repository]:
    path = root / "etc/apt/sources.list.d" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    return read(root)


@pytest.mark.parametrize(
    ("line", "signed_by"),
    [
        (f"deb {URL} /", None),
        (f"deb [signed-by=/usr/share/keyrings/cuda.gpg] {URL} /", "/usr/share/keyrings/cuda.gpg"),
        (f"deb [ arch=amd64 signed-by=/k.gpg ] {URL} /", "/k.gpg"),
        (f"  deb  {URL}  /", None),
    ],
)
def test_one_line_form(tmp_path: Path, line: str, signed_by: str | None) -> None:
    path = "/etc/apt/sources.list.d/cuda.list"
    assert _read(tmp_path, "cuda.list", f"# {line}\n{line}\n") == [Repository(path, URL, signed_by)]


def test_comments_are_no_repositories(tmp_path: Path) -> None:
    assert _read(tmp_path, "cuda.list", f"# deb {URL} /\n#deb {URL} /\n") == []


def test_deb822_form(tmp_path: Path) -> None:
    text = f"""# NVIDIA
Types: deb
URIs: {URL} https://mirror/
Suites: /
Signed-By: /etc/apt/keyrings/nvidia.asc

Types: deb
URIs: https://second/
Suites: stable
"""
    path = "/etc/apt/sources.list.d/nvidia.sources"
    assert _read(tmp_path, "nvidia.sources", text) == [
        Repository(path, URL, "/etc/apt/keyrings/nvidia.asc"),
        Repository(path, "https://mirror/", "/etc/apt/keyrings/nvidia.asc"),
        Repository(path, "https://second/", None),
    ]


def test_a_key_in_the_file(tmp_path: Path) -> None:
    text = f"URIs: {URL}\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n"
    (found,) = _read(tmp_path, "n.sources", text)
    assert found.signed_by == "a key in the file itself"


@pytest.mark.parametrize("word", ["no", "No", "false"])
def test_disabled_ones_do_not_count(tmp_path: Path, word: str) -> None:
    assert _read(tmp_path, "n.sources", f"Enabled: {word}\nTypes: deb\nURIs: {URL}\nSuites: /\n") == []


def test_apt_without_sources(tmp_path: Path) -> None:
    assert read(tmp_path) == []
