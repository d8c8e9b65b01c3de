# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import dpkg_status
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import (
    DEBIAN,
    HELPER,
    NVIDIA,
    PINNING,
    STACK,
    UBUNTU,
    UNKNOWN,
    classify,
    kind,
)

RECORDED = Path(__file__).parent / "recorded/nvidia"
# Of Debian's driver source, but nobody's driver: it tells which driver a GPU needs.
HARMLESS = {"nvidia-detect"}


def _package(name: str, version: str = "595.91.07-1ubuntu1") -> Package:
    return Package(name, version, "amd64", "i", "i")


@pytest.mark.parametrize("release", [12, 13])
def test_of_all_of_debians_packages_exactly_the_drivers_own_belong_to_it(release: int) -> None:
    """Recorded: every binary package with such a name, its source package, its version."""
    for line in (RECORDED / f"debian-{release}-binaries.txt").read_text().splitlines():
        name, source, version = line.split("|")
        of_the_driver = source.startswith(("nvidia-graphics-drivers", "nvidia-open-gpu-kernel-modules"))
        assert (kind(_package(name, version)) == STACK) == (of_the_driver and name not in HARMLESS), line


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("nvidia-driver-550", "550.163.01-0ubuntu0.24.04.1"),
        ("nvidia-driver-550-server-open", "550.163.01-0ubuntu0.24.04.1"),
        ("nvidia-headless-no-dkms-580-server-open", "580.142-0ubuntu0.24.04.1"),
        ("libnvidia-compute-535", "535.288.01-0ubuntu0.24.04.1"),
        ("nvidia-firmware-550-550.163.01", "550.163.01-0ubuntu0.24.04.1"),
        ("linux-modules-nvidia-580-server-open-6.8.0-45-generic", "6.8.0-45.45+1"),
        ("linux-modules-nvidia-580-server-generic-hwe-24.04", "6.11.0-26.26~24.04.1"),
        ("linux-objects-nvidia-550-6.8.0-45-generic", "6.8.0-45.45"),
        ("linux-signatures-nvidia-6.8.0-45-generic", "6.8.0-45.45"),
        ("cuda-drivers", "595.91.07-1ubuntu1"),
        ("cuda-drivers-fabricmanager-580", "580.178.04-1"),
        ("nvidia-open", "595.91.07-1"),
        ("nvidia-fabricmanager-550", "550.163.01-1"),
        ("libnvidia-nscq-550", "550.163.01-1"),
        ("nvidia-kernel-open-dkms", "595.91.07-1"),
        ("libcuda1", "595.91.07-1"),
        ("xserver-xorg-video-nvidia-535", "535.288.01-0ubuntu0.24.04.1"),
    ],
)
def test_of_the_driver(name: str, version: str) -> None:
    expected = None if name.startswith("linux-signatures-nvidia-6") else STACK
    assert kind(_package(name, version)) == expected


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("nvidia-container-toolkit", "1.20.0-1"),
        ("nvidia-container-toolkit-base", "1.20.0-1"),
        ("nvidia-container-runtime", "3.14.0-1"),
        ("libnvidia-container1", "1.20.0-1"),
        ("libnvidia-container-tools", "1.20.0-1"),
        ("libnvidia-container1", "595.91.07-1"),  # a version like a driver's does not make it one
        ("nvidia-docker2", "2.14.0-1"),
        ("nvidia-docker", "1.0.1-1"),
        ("nvidia-cuda-toolkit", "12.4.131~12.4.1-2"),
        ("nvidia-cuda-dev", "535.1-1"),
        ("cuda-compat-13-0", "580.65.06-0ubuntu1"),
        ("cuda-toolkit-13-0", "13.0.2-1"),
        ("cuda-libraries-12-8", "12.8.1-1"),
        ("libcudart12", "12.4.127~12.4.1-2"),
        ("libcudnn9-cuda-12", "9.8.0.87-1"),
        ("libnccl2", "2.22.3-1-1"),
        ("firmware-nvidia-graphics", "20250410-2"),
        ("nvidia-vaapi-driver", "0.0.13-1"),
        ("nvidia-fs-dkms", "2.19.7~12.4.1-2"),
        ("nvidia-gds-13-0", "13.0.2-1"),
        ("datacenter-gpu-manager-4-core", "1:4.4.1-1"),
        ("linux-image-6.8.0-1018-nvidia", "6.8.0-1018.20"),
        ("linux-modules-extra-6.8.0-45-generic", "6.8.0-45.45"),
        ("linux-nvidia", "6.8.0-1018.20"),
        ("nvtop", "3.0.2-1"),
        ("primus-nvidia", "0~20150328-19"),
        ("python3-pynvml", "590.48.01-1"),
        ("libnvidia-ml-dev", "535.1-1"),
    ],
)
def test_not_of_the_driver(name: str, version: str) -> None:
    assert kind(_package(name, version)) is None


@pytest.mark.parametrize(
    "name", ["nvidia-settings", "nvidia-modprobe", "nvidia-persistenced", "nvidia-prime", "libnvidia-egl-wayland1"]
)
def test_helpers_have_a_version_of_their_own(name: str) -> None:
    assert kind(_package(name, "510.47.03-0ubuntu4")) == HELPER


def test_pinning_packages_name_their_branch() -> None:
    (branch, version) = classify(
        [_package("nvidia-driver-pinning-595", "595-1ubuntu1"), _package("nvidia-driver-pinning-610.43.02", "1-1")], {}
    )
    assert (branch.kind, branch.branch, version.kind, version.branch) == (PINNING, "595", PINNING, "610")


@pytest.mark.parametrize(
    ("name", "version", "vendor", "branch"),
    [
        ("libnvidia-compute-580", "580.65.06-0ubuntu1", NVIDIA, "580"),
        ("libnvidia-compute", "610.43.02-1ubuntu1", NVIDIA, "610"),
        ("libnvidia-compute-550", "550.163.01-0ubuntu0.24.04.1", UBUNTU, "550"),
        ("libnvidia-compute-535", "535.171.04-0ubuntu2", UBUNTU, "535"),
        ("libnvidia-compute-550", "550.54.14-0ubuntu0~gpu24.04.1", UBUNTU, "550"),
        ("libcuda1", "535.261.03-1", DEBIAN, "535"),
        ("libcuda1", "535.261.03-1~deb12u1", DEBIAN, "535"),
        ("libcuda1", "535.247.01-1~bpo11+1", DEBIAN, "535"),
        ("libcuda1", "550.163.01-2", DEBIAN, "550"),
        ("libcuda1", "580.178.04-1", NVIDIA, "580"),
        ("cuda-drivers", "550.163.01-1", NVIDIA, "550"),
        ("nvidia-open-kernel-dkms", "550.163.01-2", DEBIAN, "550"),
        ("linux-modules-nvidia-580-server-open-6.8.0-45-generic", "6.8.0-45.45+1", UBUNTU, "580"),
        ("libcuda1", "1:595.91.07-1", NVIDIA, "595"),
        ("libcuda1", "595.91.07", UNKNOWN, "595"),
        ("libcuda1", "595.91.07-1mine", UNKNOWN, "595"),
    ],
)
def test_vendor_and_branch(name: str, version: str, vendor: str, branch: str) -> None:
    (found,) = classify([_package(name, version)], {})
    assert (found.vendor, found.branch) == (vendor, branch)


def test_apt_knows_better_than_the_version() -> None:
    package = _package("libcuda1", "550.163.01-1")
    (found,) = classify([package], {("libcuda1", "550.163.01-1"): ("NVIDIA",)})
    assert found.vendor == NVIDIA


def test_who_mirrors_both_does_not_decide() -> None:
    package = _package("libcuda1", "550.163.01-1")
    (found,) = classify([package], {("libcuda1", "550.163.01-1"): ("NVIDIA", "Debian")})
    assert found.vendor == DEBIAN


def test_packages_of_one_version_are_of_one_source() -> None:
    found = classify([_package("cuda-drivers", "550.163.01-1"), _package("libcuda1", "550.163.01-1")], {})
    assert {package.vendor for package in found} == {NVIDIA}


@pytest.mark.parametrize(("release", "branch"), [(12, "535"), (13, "550")])
def test_a_recorded_debian_is_one_vendor_and_one_branch(release: int, branch: str) -> None:
    packages = dpkg_status.parse((RECORDED / f"debian-{release}-native.dpkg-query").read_text())
    stack = [package for package in classify(packages, {}) if package.kind == STACK]
    assert len(stack) > 20
    assert {(package.vendor, package.branch) for package in stack} == {(DEBIAN, branch)}
