# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.libcuda_file import Libcuda
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_runfile import Runfile, read

UNINSTALLER, LOG = "/usr/bin/nvidia-uninstall", "/var/log/nvidia-installer.log"


def _read(root: Path, *files: str, libcuda: Libcuda | None = None, owned: bool = False) -> Runfile:
    for name in files:
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def ask(command: Sequence[str]) -> str:
        return f"somebody: {command[-1]}\n" if owned else ""

    return read(root, libcuda or Libcuda(), ask)


def test_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path) == Runfile(None, (), False)


def test_an_installed_one(tmp_path: Path) -> None:
    stray = Libcuda("/usr/lib/x86_64-linux-gnu/libcuda.so.1", "570.133.07", None)
    found = _read(tmp_path, UNINSTALLER, LOG, libcuda=stray)
    assert found == Runfile(UNINSTALLER, (UNINSTALLER, LOG, stray.path), True)


def test_the_log_of_one_that_is_gone_means_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path, LOG) == Runfile(None, (LOG,), False)


def test_an_uninstaller_that_a_package_owns_is_none(tmp_path: Path) -> None:
    assert not _read(tmp_path, UNINSTALLER, owned=True).present


def test_a_stray_library_alone(tmp_path: Path) -> None:
    assert _read(tmp_path, libcuda=Libcuda("/usr/lib/libcuda.so.1", None, None)).present
    assert not _read(tmp_path, libcuda=Libcuda("/usr/lib/libcuda.so.1", "595.91.07", "libnvidia-compute")).present
