# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package, parse

RECORDED = Path(__file__).parent / "recorded/nvidia"


def test_a_recorded_debian() -> None:
    packages = parse((RECORDED / "debian-12-native.dpkg-query").read_text())
    assert len(packages) > 150
    (libcuda,) = (package for package in packages if package.name == "libcuda1")
    assert libcuda == Package("libcuda1", "535.261.03-1", "amd64", "i", "i")
    assert not any(package.broken for package in packages)


@pytest.mark.parametrize(
    ("abbreviation", "on_disk", "broken"),
    [
        ("ii ", True, False),
        ("hi ", True, False),
        ("rc ", False, False),
        ("pc ", False, False),
        ("iU ", True, True),
        ("iF ", True, True),
        ("iH ", True, True),
        ("iHR", True, True),
        ("iiR", True, True),
        ("iW ", True, True),
        ("it ", True, True),
    ],
)
def test_states(abbreviation: str, on_disk: bool, broken: bool) -> None:
    (package,) = parse(f"{abbreviation}|nvidia-dkms-550|550.163.01-0ubuntu0.24.04.1|amd64\n")
    assert (package.on_disk, package.broken, package.abbreviation) == (on_disk, broken, abbreviation.strip())


def test_what_is_only_wished_is_no_package() -> None:
    assert parse("un |nvidia-driver||\n") == ()


@pytest.mark.parametrize(
    ("abbreviation", "holds", "held"),
    [
        ("ii ", ["libcuda1"], True),
        ("hi ", [], True),
        ("ii ", ["libcuda1:i386"], True),
        ("ii ", ["libcuda1:amd64"], False),
        ("ii ", ["libcuda"], False),
    ],
)
def test_holds(abbreviation: str, holds: list[str], held: bool) -> None:
    (package,) = parse(f"{abbreviation}|libcuda1|535.261.03-1|i386\n", holds)
    assert package.held is held


def test_no_dpkg_no_packages() -> None:
    assert parse("") == ()
