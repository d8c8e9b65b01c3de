# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_policy import Policy
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package_names import package_names
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import (
    Distribution,
    Target,
    Wish,
    read_distribution,
    target,
)

UBUNTU, DEBIAN = Distribution("ubuntu", "24.04", "amd64"), Distribution("debian", "13", "amd64")


def _names(
    distribution: Distribution,
    *,
    branch: str = "595",
    flavour: str = "generic",
    open: bool = False,
    headless: bool = False,
    source: str = "nvidia",
    policy: dict[str, Policy] | None = None,
) -> list[str]:
    wanted = target(Wish(source=source, branch=branch, headless=headless), distribution, open)
    return package_names(wanted, distribution, flavour, policy or {})


@pytest.mark.parametrize("distribution", [UBUNTU, DEBIAN])
@pytest.mark.parametrize("branch", ["580", "595", "610"])
def test_the_whole_driver_of_nvidia(distribution: Distribution, branch: str) -> None:
    assert _names(distribution, branch=branch) == ["cuda-drivers"]
    assert _names(distribution, branch=branch, open=True) == ["nvidia-open"]


def test_compute_only_of_nvidia() -> None:
    assert _names(UBUNTU, headless=True) == ["libnvidia-compute", "nvidia-dkms", "nvidia-utils"]
    assert _names(UBUNTU, headless=True, open=True) == ["libnvidia-compute", "nvidia-dkms-open", "nvidia-utils"]
    assert _names(DEBIAN, headless=True) == ["nvidia-driver-cuda", "nvidia-kernel-dkms"]
    assert _names(DEBIAN, headless=True, open=True) == ["nvidia-driver-cuda", "nvidia-kernel-open-dkms"]


def test_names_with_the_branch_where_apt_has_only_those() -> None:
    old = {
        name: Policy(versions={"580.65.06-0ubuntu1": ("NVIDIA",)})
        for name in ("libnvidia-compute-580", "nvidia-dkms-580", "nvidia-utils-580", "cuda-drivers-580")
    }
    assert _names(UBUNTU, branch="580", policy=old) == ["cuda-drivers-580"]
    assert _names(UBUNTU, branch="580", headless=True, policy=old) == [
        "libnvidia-compute-580",
        "nvidia-dkms-580",
        "nvidia-utils-580",
    ]
    renamed = old | {"cuda-drivers": Policy(versions={"580.178.04-1ubuntu1": ("NVIDIA",)})}
    assert _names(UBUNTU, branch="580", policy=renamed) == ["cuda-drivers"]
    newer = old | {"cuda-drivers": Policy(versions={"610.57.04-1ubuntu1": ("NVIDIA",)})}
    assert _names(UBUNTU, branch="580", policy=newer) == ["cuda-drivers-580"]


@pytest.mark.parametrize(
    ("flavour", "modules"),
    [
        ("generic", "linux-modules-nvidia-580-server-open-generic"),
        ("generic-hwe-24.04", "linux-modules-nvidia-580-server-open-generic-hwe-24.04"),
        ("virtual", "linux-modules-nvidia-580-server-open-generic"),
    ],
)
def test_ubuntus_signed_modules(flavour: str, modules: str) -> None:
    names = _names(UBUNTU, source="distribution", branch="580", open=True, flavour=flavour)
    assert names == [modules, "nvidia-driver-580-server-open"]


def test_ubuntus_compute_only() -> None:
    assert _names(UBUNTU, source="distribution", branch="580", headless=True) == [
        "linux-modules-nvidia-580-server-generic",
        "nvidia-headless-no-dkms-580-server",
        "libnvidia-compute-580-server",
        "nvidia-utils-580-server",
    ]


def test_debians_own_packages_have_debians_branch() -> None:
    assert target(Wish(source="distribution"), DEBIAN, False) == Target("debian", "550", False, False, True)
    assert "nvidia-kernel-dkms" in _names(DEBIAN, source="distribution")
    assert "nvidia-open-kernel-dkms" in _names(DEBIAN, source="distribution", open=True)


def test_only_ubuntus_packages_need_no_compiler() -> None:
    assert not target(Wish(source="distribution"), UBUNTU, False).uses_dkms
    assert target(Wish(source="distribution"), DEBIAN, False).uses_dkms
    assert target(Wish(), UBUNTU, False).uses_dkms


@pytest.mark.parametrize(
    ("distribution", "supported", "folder"),
    [
        (Distribution("ubuntu", "22.04", "amd64"), True, "ubuntu2204/x86_64"),
        (Distribution("ubuntu", "24.04", "arm64"), True, "ubuntu2404/sbsa"),
        (Distribution("debian", "12", "amd64"), True, "debian12/x86_64"),
        (Distribution("debian", "13", "amd64"), True, "debian13/x86_64"),
        (Distribution("debian", "11", "amd64"), False, "debian11/x86_64"),
        (Distribution("ubuntu", "20.04", "amd64"), False, "ubuntu2004/x86_64"),
        (Distribution("ubuntu", "24.04", "riscv64"), False, "ubuntu2404/riscv64"),
        (Distribution("fedora", "42", "amd64"), False, "fedora42/x86_64"),
    ],
)
def test_distributions(distribution: Distribution, supported: bool, folder: str) -> None:
    assert distribution.supported is supported
    assert distribution.repository_url.endswith(f"/cuda/repos/{folder}")


def test_reading_the_distribution(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 13"\nID=debian\nVERSION_ID="13"\n')
    assert read_distribution(tmp_path, lambda command: "amd64\n") == DEBIAN
