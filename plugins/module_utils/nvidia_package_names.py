# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the packages that a driver is asked for by, on each distribution and of each vendor.

From NVIDIA's driver installation guide (its repository dropped the branch from the names at 590) and the control files
of Canonical and Debian. Those of NVIDIA's own packages from 590 on were not available: apt's candidates are asserted
before anything is installed, and dpkg is asked afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_policy import Policy
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import DEBIAN, UBUNTU
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Distribution, Target

# From here on NVIDIA's packages for Ubuntu have no branch in their names.
_FIRST_WITHOUT_SUFFIX = 590


def package_names(
    wanted: Target, distribution: Distribution, kernel_flavour: str, policy: Mapping[str, Policy]
) -> list[str]:
    """What to ask apt for; the first of several naming schemes that apt knows in the branch, else the first.

    :param kernel_flavour: the end of the headers meta package, such as ``generic-hwe-24.04``.
    """
    schemes = name_schemes(wanted, distribution, kernel_flavour)
    return next((names for names in schemes if _offered(names, wanted.branch, policy)), schemes[0])


def name_schemes(wanted: Target, distribution: Distribution, kernel_flavour: str) -> list[list[str]]:
    """The sets of names that the target may have, the likeliest first."""
    if wanted.vendor == UBUNTU:
        return [_ubuntu(wanted, kernel_flavour)]
    if wanted.vendor == DEBIAN:
        return [_debian(wanted)]
    if distribution.id == "debian":
        return [_nvidia_for_debian(wanted)]
    plain = _nvidia_for_ubuntu(wanted, "")
    if int(wanted.branch) >= _FIRST_WITHOUT_SUFFIX:
        return [plain]
    # NVIDIA renamed its packages within the branches that were alive then, so apt has to tell.
    return [plain, _nvidia_for_ubuntu(wanted, f"-{wanted.branch}")]


def in_branch(version: str | None, branch: str) -> bool:
    """Whether a package version is of a driver branch."""
    return (version or "").split(":")[-1].startswith(f"{branch}.")


def offered(name: str, branch: str, policy: Mapping[str, Policy]) -> bool:
    """Whether apt has a package in a driver branch."""
    return any(in_branch(version, branch) for version in policy.get(name, Policy()).versions)


def _offered(names: Sequence[str], branch: str, policy: Mapping[str, Policy]) -> bool:
    return all(offered(name, branch, policy) for name in names)


def _nvidia_for_debian(wanted: Target) -> list[str]:
    if not wanted.headless:
        return ["nvidia-open" if wanted.open_flavour else "cuda-drivers"]
    return ["nvidia-driver-cuda", "nvidia-kernel-open-dkms" if wanted.open_flavour else "nvidia-kernel-dkms"]


def _nvidia_for_ubuntu(wanted: Target, suffix: str) -> list[str]:
    if not wanted.headless:
        return [("nvidia-open" if wanted.open_flavour else "cuda-drivers") + suffix]
    # nvidia-smi is a package of its own there.
    modules = f"nvidia-dkms{suffix}" + ("-open" if wanted.open_flavour else "")
    return [f"libnvidia-compute{suffix}", modules, f"nvidia-utils{suffix}"]


def _ubuntu(wanted: Target, kernel_flavour: str) -> list[str]:
    server = f"{wanted.branch}-server"
    flavour = server + ("-open" if wanted.open_flavour else "")
    # Virtual kernels are generic ones with fewer modules around them.
    modules = f"linux-modules-nvidia-{flavour}-{kernel_flavour.replace('virtual', 'generic')}"
    if not wanted.headless:
        return [modules, f"nvidia-driver-{flavour}"]
    return [modules, f"nvidia-headless-no-dkms-{flavour}", f"libnvidia-compute-{server}", f"nvidia-utils-{server}"]


def _debian(wanted: Target) -> list[str]:
    modules = "nvidia-open-kernel-dkms" if wanted.open_flavour else "nvidia-kernel-dkms"
    if not wanted.headless:
        return ["nvidia-driver", modules, "libcuda1", "nvidia-smi"]
    return [modules, "libcuda1", "nvidia-smi", "nvidia-persistenced"]
