# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import apt_sources
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_rival_sources import Rivals, find, second_source

URL = "https://download.docker.com/linux/debian"
OTHER = "https://example.org/debian"
OWN = "/etc/apt/sources.list.d/docker.sources"


def _find(root: Path, files: dict[str, str]) -> Rivals:
    for name, content in files.items():
        path = root / "etc/apt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return find(apt_sources.read(root), OWN, second_source([URL]))


def _superseded(rivals: Rivals) -> list[str]:
    assert not rivals.reasons
    return [file.path for file in rivals.superseded]


@pytest.mark.parametrize(
    "content",
    [
        f"# by hand\n\ndeb [signed-by=/x.gpg] {URL} trixie stable\n",
        f"deb {URL}/ trixie stable\ndeb-src {URL} trixie stable\n",
        f"deb {URL.replace('https', 'http')} trixie stable\n",
        f"deb {URL} trixie stable\n# deb {OTHER} trixie main\n",
    ],
)
def test_a_list_of_nothing_else_is_superseded(tmp_path: Path, content: str) -> None:
    assert _superseded(_find(tmp_path, {"sources.list.d/docker.list": content})) == [
        "/etc/apt/sources.list.d/docker.list"
    ]


def test_so_is_the_other_format(tmp_path: Path) -> None:
    content = f"Types: deb\nURIs: {URL}\nSuites: trixie\n\nEnabled: no\nTypes: deb\nURIs: {OTHER}\nSuites: x\n"
    assert _superseded(_find(tmp_path, {"sources.list.d/d.sources": content})) == ["/etc/apt/sources.list.d/d.sources"]


@pytest.mark.parametrize(
    "line",
    [f"deb {OTHER} trixie main", f"deb {URL}-mirror trixie main", f"# deb {URL} trixie stable", f"deb {URL[:-3]} x y"],
)
def test_what_names_another_repository_is_nobodys_business(tmp_path: Path, line: str) -> None:
    rivals = _find(tmp_path, {"sources.list.d/x.list": f"{line}\n", "sources.list": f"{line}\n"})
    assert rivals == Rivals([], [])


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("sources.list.d/m.list", f"# x\ndeb {URL} trixie stable\ndeb {OTHER} x main\n", f'line 2 ("{URL}")'),
        ("sources.list", f"\ndeb {URL} trixie stable\n", f'line 2 ("{URL}")'),
        (
            "sources.list.d/debian.sources",
            f"# x\n\nURIs: {OTHER}\nSuites: x\n \n\nTypes: deb\nURIs:\n {OTHER}\n {URL}\nSuites: x\n",
            f'line 10 ("{URL}")',
        ),
        (
            "sources.list.d/twice.list",
            f"deb {URL} a stable\ndeb {OTHER} x main\ndeb {URL} b stable\n",
            f'line 1 ("{URL}") and line 3 ("{URL}")',
        ),
    ],
)
def test_a_file_that_holds_more_is_its_owners(tmp_path: Path, name: str, content: str, place: str) -> None:
    rivals = _find(tmp_path, {name: content})
    assert rivals.superseded == []
    (reason,) = rivals.reasons
    assert reason.startswith(f"/etc/apt/{name} names {URL}: ")
    assert place in reason


def test_our_own_file_is_no_rival_of_itself(tmp_path: Path) -> None:
    stanza = f"Types: deb\nURIs: {URL}\nSuites: trixie\n"
    assert _find(tmp_path, {"sources.list.d/docker.sources": stanza}) == Rivals([], [])


def test_what_somebody_has_added_to_our_own_file_is_not_overwritten(tmp_path: Path) -> None:
    stanza = f"Types: deb\nURIs: {URL}\nSuites: trixie\n"
    rivals = _find(tmp_path, {"sources.list.d/docker.sources": f"{stanza}\n{stanza.replace(URL, OTHER)}"})
    assert len(rivals.reasons) == 1


def test_every_file_is_told(tmp_path: Path) -> None:
    line = f"deb {URL} trixie stable\n"
    rivals = _find(tmp_path, {"sources.list": line, "sources.list.d/a.list": line, "sources.list.d/b.list": line})
    assert len(rivals.reasons) == 1
    assert [file.path for file in rivals.superseded] == [f"/etc/apt/sources.list.d/{name}.list" for name in "ab"]
