# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.libcuda_file import Libcuda, read

RECORDED = Path(__file__).parent / "recorded/nvidia"
FOLDER = "usr/lib/x86_64-linux-gnu"


def _file(root: Path, path: str, link: str | None = None) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    if link is None:
        (root / path).touch()
    else:
        (root / path).symlink_to(link)


def _owned(owners: dict[str, str], cache: str = ""):  # type: ignore[no-untyped-def]
    def ask(command: Sequence[str]) -> str:
        return cache if command[0] == "ldconfig" else owners.get(command[-1], "")

    return ask


def test_ubuntus_and_nvidias_packages(tmp_path: Path) -> None:
    _file(tmp_path, f"{FOLDER}/libcuda.so.595.91.07")
    _file(tmp_path, f"{FOLDER}/libcuda.so.1", "libcuda.so.595.91.07")
    real = f"/{FOLDER}/libcuda.so.595.91.07"
    ask = _owned({real: f"libnvidia-compute:amd64: {real}\n"})
    assert read(tmp_path, ask) == Libcuda(f"/{FOLDER}/libcuda.so.1", "595.91.07", "libnvidia-compute")


def test_debians_alternatives(tmp_path: Path) -> None:
    """The links of Debian 12, as recorded: absolute ones, through /etc/alternatives, and /lib is a link as well."""
    _file(tmp_path, f"{FOLDER}/nvidia/current/libcuda.so.535.261.03")
    _file(tmp_path, f"{FOLDER}/nvidia/current/libcuda.so.1", "libcuda.so.535.261.03")
    alternative = "etc/alternatives/nvidia--libcuda.so.1-x86_64-linux-gnu"
    _file(tmp_path, alternative, f"/{FOLDER}/nvidia/current/libcuda.so.1")
    _file(tmp_path, f"{FOLDER}/libcuda.so.1", f"/{alternative}")
    _file(tmp_path, "lib", "usr/lib")
    real = f"/{FOLDER}/nvidia/current/libcuda.so.535.261.03"
    ask = _owned({real: f"libcuda1:amd64: {real}\n"}, (RECORDED / "debian-12.ldconfig").read_text())
    assert read(tmp_path, ask) == Libcuda("/lib/x86_64-linux-gnu/libcuda.so.1", "535.261.03", "libcuda1")


def test_a_link_that_leads_nowhere_is_no_library(tmp_path: Path) -> None:
    _file(tmp_path, f"{FOLDER}/libcuda.so.1", "libcuda.so.550.163.01")
    assert read(tmp_path, _owned({})) == Libcuda()


def test_links_in_a_circle_are_no_library(tmp_path: Path) -> None:
    _file(tmp_path, f"{FOLDER}/libcuda.so.1", "libcuda.so.2")
    _file(tmp_path, f"{FOLDER}/libcuda.so.2", "libcuda.so.1")
    assert read(tmp_path, _owned({})) == Libcuda()


def test_the_library_of_a_runfile_has_no_owner(tmp_path: Path) -> None:
    _file(tmp_path, f"{FOLDER}/libcuda.so.570.133.07")
    _file(tmp_path, f"{FOLDER}/libcuda.so.1", "libcuda.so.570.133.07")
    assert read(tmp_path, _owned({})).package is None


@pytest.mark.parametrize("known_as", [f"/{FOLDER}/libcuda.so.535.1", "/lib/x86_64-linux-gnu/libcuda.so.535.1"])
def test_dpkg_may_know_it_by_its_place_before_usr_was_merged(tmp_path: Path, known_as: str) -> None:
    _file(tmp_path, f"{FOLDER}/libcuda.so.535.1")
    _file(tmp_path, f"{FOLDER}/libcuda.so.1", "libcuda.so.535.1")
    text = f"diversion by glx-diversions from: {known_as}\nlibcuda1:amd64, other:amd64: {known_as}\n"
    assert read(tmp_path, _owned({known_as: text})).package == "libcuda1"


def test_the_compat_library_of_a_toolkit_is_not_the_drivers(tmp_path: Path) -> None:
    _file(tmp_path, "usr/local/cuda/compat/libcuda.so.1")
    _file(tmp_path, f"{FOLDER}/libcuda.so.1")
    cache = "\tlibcuda.so.1 (libc6,x86-64) => /usr/local/cuda/compat/libcuda.so.1\n"
    assert read(tmp_path, _owned({}, cache)).path == f"/{FOLDER}/libcuda.so.1"


def test_a_library_for_32_bit_programs_does_not_count(tmp_path: Path) -> None:
    _file(tmp_path, "usr/lib/i386-linux-gnu/libcuda.so.1")
    cache = "\tlibcuda.so.1 (libc6) => /usr/lib/i386-linux-gnu/libcuda.so.1\n"
    assert read(tmp_path, _owned({}, cache)) == Libcuda()
