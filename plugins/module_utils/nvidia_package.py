# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages are NVIDIA's driver, who made them, and of which branch they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_kernels import version_key

UBUNTU, DEBIAN, NVIDIA, UNKNOWN = "ubuntu", "debian", "nvidia", "unknown"
VENDOR_NAMES = {UBUNTU: "Ubuntu", DEBIAN: "Debian", NVIDIA: "NVIDIA", UNKNOWN: "an unknown packager"}

# What a package is to the driver: a part of it that must be of its branch; a pin of NVIDIA's; or a helper with a
# version of its own, which apt brings along and which stands in nobody's way.
STACK, PINNING, HELPER = "stack", "pinning", "helper"

_DRIVER_VERSION = re.compile(r"^(?:\d+:)?(?P<branch>\d{3})\.\d+")
# Names that the driver's packages begin with; what else begins with nvidia- may be anybody's.
_STACK = re.compile(
    r"^(nvidia-(\d{3}|driver|dkms|kernel|open|utils|compute-utils|headless|firmware|smi|alternative|legacy|egl|vulkan"
    r"|opencl|libopencl1|vdpau-driver|powerd|suspend-common|cuda-mps|tesla|fabricmanager|imex)(-.*)?"
    r"|libnvidia-.*|xserver-xorg-video-nvidia(-.*)?|cuda-drivers(-.*)?|libcuda1|libcudadebugger1|libnvcuvid1|libnvoptix1"
    r"|firmware-nvidia-(gsp|tesla-.*)|lib(egl|gl1|gles|glx)-nvidia.*|libnvsdm(-.*)?)$"
)
# Modules that Ubuntu builds and signs for one kernel; their version is the kernel's, the branch is in the name.
_SIGNED_MODULES = re.compile(r"^linux-(?:modules|objects|signatures)-nvidia-(?P<branch>\d{3})(?=[-.])")
_PINNING = re.compile(r"^nvidia-driver-pinning-(?P<branch>\d{3})")
_HELPERS = re.compile(
    r"^(nvidia-(settings|modprobe|persistenced|xconfig|prime|support|installer-cleanup|detect)"
    r"|nvidia-settings-.*|libxnvctrl\d*|libnvidia-egl-.*|nvidia-kernel-common|glx-alternative-nvidia)$"
)
# The container toolkit has a role of its own; CUDA's libraries and Debian's firmware for nouveau are no driver.
_NEVER = re.compile(
    r"^(nvidia-container-.*|libnvidia-container.*|nvidia-docker2?|nvidia-cuda-(?!mps$).*|libnvidia-ml-dev|nvidia-fs.*"
    r"|nvidia-driver-assistant|.*-dev)$"
)
# Where a version does not tell the vendor, names do that only one of them has.
_ONLY_NVIDIA = re.compile(r"^(cuda-drivers.*|nvidia-open|nvidia-driver-(open|cuda|pinning.*)|nvidia-kernel-open-dkms)$")
_ONLY_DEBIAN = re.compile(r"^nvidia-open-kernel-(dkms|source|support)$")
_DEBIANS_BRANCHES = ("390", "418", "450", "460", "470", "510", "525", "535", "550")
_ORIGINS = {"Ubuntu": UBUNTU, "Debian": DEBIAN, "NVIDIA": NVIDIA, "LP-PPA-graphics-drivers": UBUNTU}


@dataclass(frozen=True)
class DriverPackage:
    """A package of NVIDIA's driver; ``branch`` is null for one that has none, ``kind`` is one of the words above."""

    package: Package
    kind: str
    vendor: str
    branch: str | None

    @property
    def name(self) -> str:
        """Without architecture."""
        return self.package.name

    @property
    def version(self) -> str:
        """With Debian revision."""
        return self.package.version

    @property
    def upstream_version(self) -> str:
        """NVIDIA's own number."""
        return self.version.split(":")[-1].split("-")[0]

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {
            "name": self.name,
            "version": self.version,
            "architecture": self.package.architecture,
            "state": self.package.abbreviation,
            "held": self.package.held,
            "vendor": self.vendor,
            "branch": self.branch,
            "kind": self.kind,
        }


def kind(package: Package) -> str | None:
    """What a package is to the driver; null for one that does not belong to it."""
    name = package.name
    if _NEVER.match(name):
        return None
    if _PINNING.match(name):
        return PINNING
    if _HELPERS.match(name):
        # NVIDIA's own stack has some of these in its branch, but apt exchanges them by itself.
        return HELPER
    if _SIGNED_MODULES.match(name):
        return STACK
    if _STACK.match(name) and _DRIVER_VERSION.match(package.version):
        return STACK
    return None


def branch(package: Package) -> str | None:
    """The three digits of the driver branch, from the name where the version is not the driver's."""
    named = _PINNING.match(package.name) or _SIGNED_MODULES.match(package.name)
    numbered = named or _DRIVER_VERSION.match(package.version)
    return numbered["branch"] if numbered else None


def classify(
    packages: Iterable[Package], origins: Mapping[tuple[str, str], Collection[str]]
) -> tuple[DriverPackage, ...]:
    """The packages of the driver among all packages.

    :param origins: who publishes a name in a version, as apt tells it; what was installed long ago is not in it.
    """
    ours = [(package, what) for package in packages if (what := kind(package))]
    first = {package: _vendor(package, origins.get((package.name, package.version), ())) for package, _what in ours}
    # Packages of one source have one version: what is known of one of them holds for all.
    siblings = {package.version: vendor for package, vendor in first.items() if vendor != UNKNOWN}
    return tuple(
        DriverPackage(package, what, _or_sibling(package, what, first[package], siblings), branch(package))
        for package, what in ours
    )


def older(version: str, than: str) -> bool:
    """Whether a driver version is below another, number by number."""
    return version_key(version) < version_key(than)


def _or_sibling(package: Package, what: str, vendor: str, siblings: Mapping[str, str]) -> str:
    if vendor != UNKNOWN:
        return vendor
    if package.version in siblings:
        return siblings[package.version]
    number = branch(package)
    if what != STACK or number is None or not _plain(package.version):
        return UNKNOWN
    return DEBIAN if number in _DEBIANS_BRANCHES else NVIDIA


def _vendor(package: Package, origins: Collection[str]) -> str:
    known = {_ORIGINS[origin] for origin in origins if origin in _ORIGINS}
    if len(known) == 1:
        return known.pop()
    if _SIGNED_MODULES.match(package.name):
        return UBUNTU
    if _ONLY_NVIDIA.match(package.name):
        return NVIDIA
    revision = package.version.rpartition("-")[2]
    # NVIDIA: 595.91.07-1ubuntu1, earlier 580.65.06-0ubuntu1; Ubuntu: 550.163.01-0ubuntu0.24.04.1, 535.171.04-0ubuntu2.
    if re.match(r"[1-9]\d*ubuntu\d+$", revision) or revision == "0ubuntu1":
        return NVIDIA
    if "ubuntu" in revision:
        return UBUNTU
    if re.search(r"[~+](deb\d|bpo)", revision) or _ONLY_DEBIAN.match(package.name):
        return DEBIAN
    return UNKNOWN


def _plain(version: str) -> bool:
    """A revision like those of Debian and of NVIDIA's repository for Debian: 535.261.03-1, 595.91.07-1."""
    return re.search(r"-\d+(\.\d+)?(\+b\d+)?$", version) is not None
