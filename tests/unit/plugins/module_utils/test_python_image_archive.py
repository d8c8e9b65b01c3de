# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image has what its Python needs and nothing of a GPU."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import cuda_probe, python_image

pytestmark = pytest.mark.skipif(
    not os.path.exists(python_image.INTERPRETER), reason="this machine has no Python of its distribution"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with tarfile.open(fileobj=io.BytesIO(python_image.archive())) as tar:
        tar.extractall(folder, filter="fully_trusted")
    return folder


def test_it_is_small_and_brings_no_driver(tree: Path) -> None:
    names = [path.name for path in tree.rglob("*")]
    assert not [name for name in names if "libcuda" in name or "nvidia" in name]
    assert sum(path.lstat().st_size for path in tree.rglob("*")) < 40_000_000


def test_no_link_leads_nowhere(tree: Path) -> None:
    links = [path for path in tree.rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        target = os.readlink(link)
        inside = tree / target.lstrip("/") if target.startswith("/") else link.parent / target
        assert inside.exists() or inside.is_symlink(), f"{link} -> {target}"


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_its_python_asks_for_cuda(tree: Path) -> None:
    """In a root folder of its own; /proc is all that a container adds to that."""
    program = cuda_probe.PROGRAM.replace('open("/proc/self/maps"', 'open("/etc/ld.so.cache"')
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    command = ["chroot", str(tree), "/usr/bin/python3", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=path, check=False)
    assert cuda_probe.answered(done.stdout).load_error.startswith("libcuda.so.1: cannot open"), done.stderr


def test_links_on_the_way_to_a_file_are_kept(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/real").write_text("")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/name").symlink_to("real")
    found = python_image.closed_under_links([str(tmp_path / "lib/name")])
    assert {str(tmp_path / part) for part in ("lib", "usr/lib/name", "usr/lib/real")} <= found
    assert python_image.links_to(str(tmp_path / "lib/real")) == [str(tmp_path / "usr/lib/name")]
