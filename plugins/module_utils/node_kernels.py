# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernels of a node: which runs, which are installed, which boots next, and which headers belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package

_HEADERS = "linux-headers-"
_IMAGE_META = re.compile(r"^linux-image-(?P<flavour>(?!unsigned-|extra-)[a-z].*)$")
# Behind the numbers of a kernel's name: 6.8.0-45-generic, 6.1.0-40-cloud-amd64, 6.12.107+deb13-amd64.
_FLAVOUR = re.compile(r"^\d[\w.]*(?:\+\w+)?(?:-\d[\w.+]*)?-(?P<flavour>[a-z][\w-]*)$")
# Flavours with a meta package of that name, in Debian and Ubuntu.
_FLAVOURS = (
    *("generic", "generic-64k", "lowlatency", "aws", "azure", "gcp", "oracle", "nvidia"),
    *("amd64", "cloud-amd64", "rt-amd64", "arm64", "cloud-arm64"),
)


@dataclass(frozen=True)
class Kernels:
    """Names as ``uname -r`` prints them. ``next_boot`` is the newest: what GRUB boots if nobody has chosen another.

    ``meta_headers_package`` brings the headers of later kernels too; null where no meta package fits.
    """

    running: str
    installed: tuple[str, ...]
    headers_installed: tuple[str, ...]
    meta_headers_package: str | None

    @property
    def newest_installed(self) -> str:
        """Of those in /boot; the running one where nothing is there, as in a container."""
        return max((*self.installed, self.running) if not self.installed else self.installed, key=version_key)

    next_boot = newest_installed

    @property
    def meta_image_package(self) -> str | None:
        """What brings later kernels of the flavour."""
        return self.meta_headers_package and self.meta_headers_package.replace("-headers-", "-image-", 1)

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {
            "running": self.running,
            "newest_installed": self.newest_installed,
            "next_boot": self.next_boot,
            "installed": list(self.installed),
            "headers_installed": list(self.headers_installed),
            "meta_headers_package": self.meta_headers_package,
        }


def read(root: Path, packages: Sequence[Package], ask: Ask) -> Kernels:
    """From /boot, dpkg's packages and uname."""
    running = ask(("uname", "-r")).strip()
    images = (path.name.removeprefix("vmlinuz-") for path in root.glob("boot/vmlinuz-*"))
    names = [package.name for package in packages if package.state == "i"]
    headers = (name.removeprefix(_HEADERS) for name in names if name.startswith(_HEADERS))
    return Kernels(
        running,
        tuple(sorted(images, key=version_key)),
        tuple(sorted((name for name in headers if _FLAVOUR.match(name)), key=version_key)),
        _meta_headers(running, packages),
    )


def headers_package(kernel: str) -> str:
    """The package with the headers of exactly this kernel."""
    return _HEADERS + kernel


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Sorts versions with their numbers as numbers."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.findall(r"\d+|\D+", version)]


def _meta_headers(running: str, packages: Iterable[Package]) -> str | None:
    """Of the installed image meta packages the one that the running kernel came with, else by the kernel's own name."""
    flavour = _FLAVOUR.match(running)
    metas = {
        match["flavour"]: package.version
        for package in packages
        if package.state == "i" and (match := _IMAGE_META.match(package.name))
    }
    if metas:
        best = max(metas, key=lambda name: (_fits(name, metas[name], running), -len(name), name))
        return _HEADERS + best
    if flavour and flavour["flavour"] in _FLAVOURS:
        return _HEADERS + flavour["flavour"]
    return None


def _fits(flavour: str, version: str, running: str) -> tuple[bool, int]:
    """Whether the kernel is of this flavour, and how many of its leading numbers are those of the meta package."""
    base = re.sub(r"-hwe-.*", "", flavour).replace("virtual", "generic")
    pairs = zip(re.findall(r"\d+", running), re.findall(r"\d+", version), strict=False)
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    own = _FLAVOUR.match(running)
    return own is not None and own["flavour"] == base, same
