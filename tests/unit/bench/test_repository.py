# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in packages and repositories as dpkg and apt read them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess

import pytest

from tests.bench.nvidia.apt_repository import write_repository
from tests.bench.nvidia.deb import Contents, write
from tests.bench.nvidia.relations import paragraphs, vendor

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg on this machine")


class NoKey:
    """In place of a key that would need gpg: what is signed is what matters here."""

    def clearsigned(self, text: bytes) -> bytes:
        return b"signed " + text

    detached = clearsigned


def dpkg_deb(*arguments: str) -> str:
    return subprocess.run(["dpkg-deb", *arguments], capture_output=True, text=True, check=True).stdout


@needs_dpkg
def test_a_package_is_what_dpkg_reads(tmp_path):
    contents = Contents()
    contents.add("/usr/bin/tool", "#!/bin/sh\n", 0o755)
    contents.add("/etc/tool.conf", "odd")
    contents.conffiles.append("/etc/tool.conf")
    contents.links["/usr/bin/alias"] = "tool"
    contents.run("postinst", "true")
    contents.run("postinst", "ldconfig")
    path = tmp_path / "tool.deb"
    control = "Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: x <x@localhost>\nDescription: y\n"
    write(path, control, contents)
    assert dpkg_deb("--field", str(path), "Package").strip() == "tool"
    listed = {line.split(maxsplit=5)[5]: line.split()[:2] for line in dpkg_deb("--contents", str(path)).splitlines()}
    assert listed["./usr/bin/tool"] == ["-rwxr-xr-x", "root/root"]
    assert "./usr/bin/alias -> tool" in listed
    dpkg_deb("--control", str(path), str(tmp_path / "control"))
    assert (tmp_path / "control/conffiles").read_text() == "/etc/tool.conf\n"
    assert (tmp_path / "control/postinst").read_text() == "#!/bin/sh\nset -e\ntrue\nldconfig\n"


def test_the_index_describes_the_packages(tmp_path):
    packages = [one for one in vendor("nvidia-debian", "6.12.0").packages if one.name == "nvidia-driver-pinning-595"]
    write_repository(tmp_path, packages, NoKey(), "NVIDIA", "NVIDIA CUDA")
    (entry,) = paragraphs((tmp_path / "Packages").read_text())
    data = (tmp_path / entry["Filename"]).read_bytes()
    assert (entry["Size"], entry["SHA256"]) == (str(len(data)), hashlib.sha256(data).hexdigest())
    assert entry["Package"] == "nvidia-driver-pinning-595"


def test_the_release_file_signs_the_index(tmp_path):
    packages = [one for one in vendor("nvidia-debian", "6.12.0").packages if one.name == "nvidia-settings"]
    write_repository(tmp_path, packages, NoKey(), "NVIDIA", "NVIDIA CUDA")
    release = (tmp_path / "Release").read_text()
    assert release.startswith("Origin: NVIDIA\nLabel: NVIDIA CUDA\n")
    assert hashlib.sha256((tmp_path / "Packages").read_bytes()).hexdigest() in release
    assert (tmp_path / "InRelease").read_text() == f"signed {release}"
