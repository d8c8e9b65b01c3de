# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver that is asked for, and what that comes to on a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    accept_secure_boot: bool = False
    repository_url: str = ""
    owed: Sequence[str] = ()


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
