# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of the stand-in packages: they can be read, and the old packages are in the way of the new ones."""

from __future__ import annotations

import re

import pytest

from tests.bench.nvidia.payload import PAYLOADS
from tests.bench.nvidia.relations import VENDORS, Package, paragraphs, stanza, vendor

KERNEL = "6.12.94+deb13-amd64"


def names(field: str) -> set[str]:
    """The package names of a relation field, without versions."""
    return set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]+)", field))


def provided(packages: tuple[Package, ...]) -> set[str]:
    return {name for package in packages for name in ({package.name} | names(package.fields.get("Provides", "")))}


def package(listed: str, name: str, branch: str = "") -> Package:
    return next(one for one in vendor(listed, KERNEL).packages if one.name == name and one.upstream.startswith(branch))


@pytest.mark.parametrize("listed", VENDORS)
def test_every_dependency_is_in_the_list(listed):
    packages = vendor(listed, KERNEL).packages
    known = provided(packages)
    for one in packages:
        for alternatives in filter(None, one.fields.get("Depends", "").split(",")):
            assert names(alternatives) & known, f"{one.name} {one.version} depends on {alternatives}"


@pytest.mark.parametrize("listed", VENDORS)
def test_every_payload_exists_and_nothing_is_left_to_substitute(listed):
    for one in vendor(listed, KERNEL).packages:
        assert set(one.payloads) <= set(PAYLOADS)
        assert "$" not in stanza(one.fields)
        assert not [field for field in one.fields if field.startswith("X-")]


@pytest.mark.parametrize("listed", ["nvidia-debian", "nvidia-ubuntu"])
def test_metapackages_float_and_the_rest_is_exact(listed):
    assert "(>= 595.91.07)" in package(listed, "cuda-drivers", "595").fields["Depends"]
    dkms = "nvidia-kernel-dkms" if listed == "nvidia-debian" else "nvidia-dkms"
    assert "(= 595.91.07-1" in package(listed, dkms, "595").fields["Depends"]


def test_only_branch_580_has_the_branch_in_its_names():
    found = {one.name for one in vendor("nvidia-ubuntu", KERNEL).packages}
    assert "libnvidia-compute-580" in found
    assert not [name for name in found if name.endswith(("-595", "-610")) and "pinning" not in name]


def test_pinning_packages_conflict_with_each_other():
    pinning = [one for one in vendor("nvidia-debian", KERNEL).packages if "pinning" in one.name]
    assert len(pinning) == 6
    assert all(one.fields["Conflicts"] == one.fields["Provides"] == "nvidia-driver-pinning" for one in pinning)


def test_ubuntu_s_packages_are_in_the_way_of_nvidia_s():
    in_the_way = set()
    for one in vendor("canonical", KERNEL).packages:
        in_the_way |= names(one.fields.get("Conflicts", ""))
    new = {one.name for one in vendor("nvidia-ubuntu", KERNEL).packages}
    assert {"libnvidia-compute", "nvidia-kernel-common", "nvidia-utils", "nvidia-persistenced"} <= in_the_way & new


def test_the_kernel_has_packages_of_its_own():
    names_of_kernel = {one.name for one in vendor("kernel", KERNEL).packages}
    assert {f"linux-headers-{KERNEL}", "linux-headers-amd64", f"linux-image-{KERNEL}"} <= names_of_kernel
    assert vendor("kernel", KERNEL).packages[0].version == "1:6.12.94-1"


def test_a_packages_file_reads_back():
    listed = vendor("toolkit", KERNEL)
    again = list(paragraphs(listed.stanzas()))
    assert again == [one.fields for one in listed.packages]


def test_comments_and_continued_lines():
    (fields,) = paragraphs("# a comment\nPackage: a\n# another\nDescription: b\n c\n")
    assert fields == {"Package": "a", "Description": "b\n c"}
