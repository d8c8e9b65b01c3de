# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package, parse
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_kernels import read, version_key

RECORDED = Path(__file__).parent / "recorded/nvidia"


def _packages(*names: str, version: str = "6.8.0-45.45") -> list[Package]:
    return [Package(name, version, "amd64", "i", "i") for name in names]


def _meta(tmp_path: Path, running: str, *packages: Package) -> str | None:
    return read(tmp_path, packages, lambda command: f"{running}\n").meta_headers_package


@pytest.mark.parametrize(
    ("running", "images", "expected"),
    [
        ("6.8.0-45-generic", ["linux-image-generic"], "linux-headers-generic"),
        ("6.8.0-45-generic", ["linux-image-virtual"], "linux-headers-virtual"),
        ("6.11.0-26-generic", ["linux-image-generic-hwe-24.04"], "linux-headers-generic-hwe-24.04"),
        ("6.1.0-40-amd64", ["linux-image-amd64"], "linux-headers-amd64"),
        ("6.1.0-40-cloud-amd64", ["linux-image-cloud-amd64"], "linux-headers-cloud-amd64"),
        ("6.1.0-40-cloud-amd64", ["linux-image-amd64", "linux-image-cloud-amd64"], "linux-headers-cloud-amd64"),
        ("6.1.0-40-amd64", ["linux-image-amd64", "linux-image-cloud-amd64"], "linux-headers-amd64"),
        ("6.12.107+deb13-arm64", ["linux-image-arm64"], "linux-headers-arm64"),
        # no meta package installed: by the kernel's own name
        ("6.8.0-45-generic", [], "linux-headers-generic"),
        ("6.12.107+deb13-amd64", [], "linux-headers-amd64"),
        ("6.1.0-40-cloud-amd64", ["linux-image-6.1.0-40-cloud-amd64"], "linux-headers-cloud-amd64"),
        # somebody's own kernel
        ("6.18.44-fc-v669", [], None),
        ("6.6.1", [], None),
    ],
)
def test_the_meta_package_of_the_flavour(tmp_path: Path, running: str, images: list[str], expected: str | None) -> None:
    assert _meta(tmp_path, running, *_packages(*images)) == expected


def test_of_two_meta_packages_of_a_flavour_the_one_that_the_kernel_came_with(tmp_path: Path) -> None:
    both = [
        Package("linux-image-generic", "6.8.0-45.45", "amd64", "i", "i"),
        Package("linux-image-generic-hwe-24.04", "6.11.0-26.26~24.04.1", "amd64", "i", "i"),
    ]
    assert _meta(tmp_path, "6.11.0-26-generic", *both) == "linux-headers-generic-hwe-24.04"
    assert _meta(tmp_path, "6.8.0-45-generic", *both) == "linux-headers-generic"


def test_a_removed_meta_package_does_not_count(tmp_path: Path) -> None:
    removed = Package("linux-image-virtual", "6.8.0-45.45", "amd64", "r", "c")
    assert _meta(tmp_path, "6.8.0-45-generic", removed) == "linux-headers-generic"


def test_kernels_and_headers(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    for kernel in ("6.8.0-100-generic", "6.8.0-45-generic", "6.8.0-9-generic"):
        (tmp_path / f"boot/vmlinuz-{kernel}").touch()
    packages = _packages("linux-headers-6.8.0-45-generic", "linux-headers-6.8.0-45", "linux-headers-generic")
    kernels = read(tmp_path, packages, lambda command: "6.8.0-45-generic\n")
    assert kernels.as_dict() == {
        "running": "6.8.0-45-generic",
        "newest_installed": "6.8.0-100-generic",
        "next_boot": "6.8.0-100-generic",
        "installed": ["6.8.0-9-generic", "6.8.0-45-generic", "6.8.0-100-generic"],
        "headers_installed": ["6.8.0-45-generic"],
        "meta_headers_package": "linux-headers-generic",
    }


def test_a_container_has_the_kernel_of_its_host(tmp_path: Path) -> None:
    packages = parse((RECORDED / "debian-12-native.dpkg-query").read_text())
    kernels = read(tmp_path, packages, lambda command: "6.1.0-40-amd64\n")
    assert (kernels.installed, kernels.next_boot) == ((), "6.1.0-40-amd64")


def test_numbers_are_compared_as_numbers() -> None:
    assert version_key("6.8.0-100-generic") > version_key("6.8.0-45-generic")
    assert version_key("580.65.06") < version_key("580.142")
    assert version_key("580.95.05") < version_key("580.178.04")
