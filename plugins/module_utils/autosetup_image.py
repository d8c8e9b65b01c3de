# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of installimage's images is meant by a distribution and an architecture.

Their names change: the release of Debian is part of them (Debian-1208-bookworm-amd64-base), there are links such as
Debian-bookworm-latest-amd64-base, and the archives turned from .tar.gz to .tar.zst. So the rescue system is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import ARCHIVES

FOLDER = "/root/.oldroot/nfs/images"
"""Where the rescue system has them."""

AUTO = "auto"
DISTRIBUTIONS = {
    "ubuntu-24.04": ("Ubuntu", "noble"),
    "ubuntu-22.04": ("Ubuntu", "jammy"),
    "debian-12": ("Debian", "bookworm"),
    "debian-13": ("Debian", "trixie"),
}
_NAME = re.compile(
    r"(?P<system>[A-Za-z]+)-(?:(?P<number>\d+)-(?P<name>[a-z]+)|(?P<latest>[a-z]+)-latest)"
    r"-(?P<architecture>amd64|arm64)-(?P<flavour>.+)\Z"
)


@dataclass(frozen=True)
class Image:
    """What an image is, without what changes about its name."""

    system: str
    codename: str
    architecture: str
    flavour: str


def stem(path: str) -> str:
    """The name without folder and ending."""
    name = path.rpartition("/")[2]
    ending = max((end for end in ARCHIVES if name.endswith(end)), key=len, default="")
    return name.removesuffix(ending)


def read(path: str) -> Image | None:
    """None for a name that is not made as Hetzner makes them."""
    found = _NAME.match(stem(path))
    if not found:
        return None
    return Image(found["system"], found["name"] or found["latest"], found["architecture"], found["flavour"])


def same(first: str, second: str) -> bool:
    """Whether two names mean the same image: another point release or another kind of archive is no other system."""
    if read(first) is None or read(second) is None:
        return stem(first) == stem(second)
    return read(first) == read(second)


def expected(image: str, distribution: str, architecture: str) -> str:
    """A path for what has not been looked at: the usual name."""
    if image != AUTO:
        return image if "/" in image else f"{FOLDER}/{stem(image)}.tar.gz"
    system, codename = DISTRIBUTIONS[distribution]
    return f"{FOLDER}/{system}-{codename}-latest-{architecture}-base.tar.gz"


def choose(image: str, distribution: str, architecture: str, paths: Iterable[str]) -> str:
    """The path of the image; empty where it is not there.

    :param image: ``auto``, a name with or without its ending, or a path.
    :param paths: the files of the rescue system.
    """
    archives = [path for path in paths if path.endswith(ARCHIVES)]
    if "/" in image:
        return image if image in archives else ""
    if image != AUTO:
        return max((path for path in archives if stem(image) == stem(path)), default="")
    system, codename = DISTRIBUTIONS[distribution]
    wanted = Image(system, codename, architecture, "base")
    return max((path for path in archives if read(path) == wanted), key=_newest, default="")


def _newest(path: str) -> tuple[int, str]:
    found = _NAME.match(stem(path))
    number = found["number"] if found else None
    return int(number or 0), path
