# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real lock of a real process, as apt takes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import dpkg_lock

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); input()"
)


@pytest.mark.parametrize("name", ["lock-frontend", "lock"])
def test_while_it_is_held_and_after(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "var/lib/dpkg"
    folder.mkdir(parents=True)
    (folder / name).touch()
    assert dpkg_lock.holder(tmp_path) is None
    command = [sys.executable, "-c", HOLD, str(folder / name)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert dpkg_lock.holder(tmp_path) == process.pid
        process.communicate("\n")
    assert dpkg_lock.holder(tmp_path) is None


def test_no_dpkg(tmp_path: Path) -> None:
    assert dpkg_lock.holder(tmp_path) is None
