# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver that is asked for, and the names of its packages on each distribution.

Names: NVIDIA's driver installation guide (its repository dropped the branch from them at 590), Canonical's and Debian's
control files. The control files of NVIDIA's own packages from 590 on were not available: apt's candidates are asserted
before anything is installed, and dpkg is asked afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_policy import Policy
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import read_text
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import (
    DEBIAN,
    NVIDIA,
    UBUNTU,
    VENDOR_NAMES,
)

PROPRIETARY, OPEN, AUTO = "proprietary", "open", "auto"

_REPOSITORY = "https://developer.download.nvidia.com/compute/cuda/repos/{folder}/{machine}"
_MACHINES = {"amd64": "x86_64", "arm64": "sbsa"}
SUPPORTED = {"ubuntu": ("22.04", "24.04"), "debian": ("12", "13")}
# What Debian itself has in non-free.
_DEBIANS_BRANCH = {"12": "535", "13": "550"}
# From here on NVIDIA's packages for Ubuntu have no branch in their names.
_FIRST_WITHOUT_SUFFIX = 590


@dataclass(frozen=True)
class Distribution:
    """``id`` and ``release`` as in os-release, ``architecture`` as dpkg names it."""

    id: str
    release: str
    architecture: str

    @property
    def supported(self) -> bool:
        """Whether NVIDIA publishes for it and this collection is made for it."""
        return self.release in SUPPORTED.get(self.id, ()) and self.architecture in _MACHINES

    @property
    def repository_url(self) -> str:
        """NVIDIA's repository for it."""
        machine = _MACHINES.get(self.architecture, self.architecture)
        return _REPOSITORY.format(folder=self.id + self.release.replace(".", ""), machine=machine)


@dataclass(frozen=True)
class Wish:
    """The options of the module, by the names that they have there."""

    source: str = "nvidia"
    branch: str = "595"
    flavour: str = AUTO
    headless: bool = False
    minimum_version: str = ""
    replace_healthy: bool = False
    remove_runfile: bool = False
    change_held: bool = False
    repository_url: str = ""


@dataclass(frozen=True)
class Target:
    """What the wish comes to on this distribution with these GPUs."""

    vendor: str
    branch: str
    open_flavour: bool
    headless: bool
    uses_dkms: bool

    @property
    def flavour(self) -> str:
        """As the option names it."""
        return OPEN if self.open_flavour else PROPRIETARY

    def __str__(self) -> str:
        return f"branch {self.branch} packaged by {VENDOR_NAMES[self.vendor]} ({self.flavour} kernel modules)"


def read_distribution(root: Path, ask: Ask) -> Distribution:
    """From os-release and dpkg."""
    lines = (line.partition("=") for line in (read_text(root / "etc/os-release") or "").splitlines())
    values = {key: value.strip("\"'") for key, _equals, value in lines}
    return Distribution(
        values.get("ID", ""), values.get("VERSION_ID", ""), ask(("dpkg", "--print-architecture")).strip()
    )


def target(wish: Wish, distribution: Distribution, open_flavour: bool) -> Target:
    """The wish on this distribution; Debian's own packages have the branch that Debian has."""
    if wish.source == "nvidia":
        return Target(NVIDIA, wish.branch, open_flavour, wish.headless, uses_dkms=True)
    if distribution.id == "debian":
        branch = _DEBIANS_BRANCH.get(distribution.release, wish.branch)
        return Target(DEBIAN, branch, open_flavour, wish.headless, uses_dkms=True)
    return Target(UBUNTU, wish.branch, open_flavour, wish.headless, uses_dkms=False)


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


def _offered(names: Sequence[str], branch: str, policy: Mapping[str, Policy]) -> bool:
    return all(any(in_branch(version, branch) for version in policy.get(name, Policy()).versions) for name in names)


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
