# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_image import FOLDER, choose, expected, same

NAMES = [
    "Debian-1208-bookworm-amd64-base.tar.gz",
    "Debian-1211-bookworm-amd64-base.tar.zst",
    "Debian-1211-bookworm-amd64-base.tar.zst.sig",
    "Debian-bookworm-latest-amd64-base.tar.gz",
    "Debian-trixie-latest-amd64-base.tar.gz",
    "Debian-trixie-latest-arm64-base.tar.gz",
    "Ubuntu-2204-jammy-amd64-base.tar.gz",
    "Ubuntu-2404-noble-amd64-base.tar.gz",
    "Ubuntu-2404-noble-amd64-base.tar.zst",
    "Ubuntu-2404-noble-amd64-base-hwe.tar.gz",
]
PATHS = [f"{FOLDER}/{name}" for name in NAMES]


@pytest.mark.parametrize(
    ("distribution", "architecture", "name"),
    [
        ("ubuntu-24.04", "amd64", "Ubuntu-2404-noble-amd64-base.tar.zst"),
        ("ubuntu-22.04", "amd64", "Ubuntu-2204-jammy-amd64-base.tar.gz"),
        ("debian-12", "amd64", "Debian-1211-bookworm-amd64-base.tar.zst"),
        ("debian-13", "amd64", "Debian-trixie-latest-amd64-base.tar.gz"),
        ("debian-13", "arm64", "Debian-trixie-latest-arm64-base.tar.gz"),
    ],
)
def test_the_newest_of_a_distribution(distribution: str, architecture: str, name: str) -> None:
    assert choose("auto", distribution, architecture, PATHS) == f"{FOLDER}/{name}"


def test_one_that_is_not_there() -> None:
    assert choose("auto", "debian-12", "arm64", PATHS) == ""
    assert choose("Ubuntu-2604-x-amd64-base", "ubuntu-24.04", "amd64", PATHS) == ""
    assert choose("/root/own-amd64-base.tar", "ubuntu-24.04", "amd64", PATHS) == ""


def test_one_that_is_named() -> None:
    wanted = f"{FOLDER}/Ubuntu-2404-noble-amd64-base-hwe.tar.gz"
    for name in ("Ubuntu-2404-noble-amd64-base-hwe", "Ubuntu-2404-noble-amd64-base-hwe.tar.gz", wanted):
        assert choose(name, "ubuntu-24.04", "amd64", PATHS) == wanted
    assert choose("/root/own-amd64-base.tar", "ubuntu-24.04", "amd64", ["/root/own-amd64-base.tar"])


def test_what_is_expected_before_the_rescue_system_is_looked_at() -> None:
    assert expected("auto", "debian-13", "arm64") == f"{FOLDER}/Debian-trixie-latest-arm64-base.tar.gz"
    assert expected("Mine-amd64-x", "debian-13", "amd64") == f"{FOLDER}/Mine-amd64-x.tar.gz"
    assert expected("/root/mine.tar", "debian-13", "amd64") == "/root/mine.tar"


@pytest.mark.parametrize(
    ("first", "second", "are"),
    [
        ("Debian-1208-bookworm-amd64-base.tar.gz", "Debian-bookworm-latest-amd64-base.tar.zst", True),
        ("Ubuntu-2404-noble-amd64-base.tar.gz", "/x/Ubuntu-2404-noble-amd64-base.tar.zst", True),
        ("Ubuntu-2404-noble-amd64-base.tar.gz", "Ubuntu-2404-noble-arm64-base.tar.gz", False),
        ("Ubuntu-2404-noble-amd64-base.tar.gz", "Ubuntu-2204-jammy-amd64-base.tar.gz", False),
        ("Ubuntu-2404-noble-amd64-base.tar.gz", "Ubuntu-2404-noble-amd64-base-hwe.tar.gz", False),
        ("mine.tar.gz", "/x/mine.tar", True),
        ("mine.tar.gz", "other.tar.gz", False),
        ("", "other.tar.gz", False),
    ],
)
def test_same_image(first: str, second: str, are: bool) -> None:
    assert same(first, second) is are
