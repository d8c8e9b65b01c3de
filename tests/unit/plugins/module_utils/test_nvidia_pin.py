# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fnmatch

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_pin import preferences
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Distribution, Target

UBUNTU, DEBIAN = Distribution("ubuntu", "24.04", "amd64"), Distribution("debian", "12", "amd64")


def _stanzas(vendor: str, distribution: Distribution) -> list[dict[str, str]]:
    text = preferences(Target(vendor, "595", False, False, True), distribution)
    lines = [[line for line in stanza.splitlines() if not line.startswith("#")] for stanza in text.split("\n\n")]
    return [dict(line.split(": ", 1) for line in stanza) for stanza in lines]


def _matches(stanza: dict[str, str], name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in stanza["Package"].split())


@pytest.mark.parametrize(
    "name",
    [
        "cuda-drivers",
        "nvidia-open",
        "nvidia-driver-cuda",
        "nvidia-dkms",
        "libnvidia-compute",
        "libcuda1",
        "nvidia-persistenced",
        "firmware-nvidia-gsp",
        "nvidia-kernel-open-dkms",
        "xserver-xorg-video-nvidia",
    ],
)
def test_the_driver_is_held_to_its_branch(name: str) -> None:
    stanza = _stanzas("nvidia", DEBIAN)[-1]
    assert (stanza["Pin"], stanza["Pin-Priority"]) == ("version 595.*", "1001")
    assert _matches(stanza, name)


def test_not_everything_is_named() -> None:
    """apt ignores a version pin for 'Package: *' without a word."""
    assert "*" not in _stanzas("nvidia", DEBIAN)[0]["Package"].split()


@pytest.mark.parametrize(
    "name",
    [
        "libnvidia-compute-595",
        "nvidia-driver-595-server-open",
        "nvidia-utils-580",
        "linux-modules-nvidia-595-generic",
        "libnvidia-gl-550-server",
    ],
)
def test_ubuntus_own_driver_is_kept_away(name: str) -> None:
    blocks = [stanza for stanza in _stanzas("nvidia", UBUNTU) if stanza["Pin-Priority"] == "-1"]
    assert [block["Pin"] for block in blocks] == ["release o=Ubuntu", "release o=LP-PPA-graphics-drivers"]
    assert all(_matches(block, name) for block in blocks)


@pytest.mark.parametrize(
    "name",
    [
        "libnvidia-egl-wayland1",
        "nvidia-container-toolkit",
        "libnvidia-container1",
        "dkms",
        "nvidia-prime",
        "linux-modules-extra-6.8.0-45-generic",
        "nvidia-cuda-toolkit",
    ],
)
@pytest.mark.parametrize("vendor", ["nvidia", "ubuntu"])
def test_what_is_no_driver_is_never_kept_away(name: str, vendor: str) -> None:
    blocks = [stanza for stanza in _stanzas(vendor, UBUNTU) if stanza["Pin-Priority"] == "-1"]
    assert blocks
    assert not any(_matches(block, name) for block in blocks)


def test_on_debian_nothing_of_debian_is_kept_away() -> None:
    """NVIDIA's packages for Debian need some of Debian's contrib."""
    assert len(_stanzas("nvidia", DEBIAN)) == 1


def test_nvidias_driver_is_kept_away_from_the_distributions() -> None:
    (block, _own) = _stanzas("ubuntu", UBUNTU)
    assert block["Pin"] == "release o=NVIDIA"
    assert _matches(block, "libnvidia-compute") and _matches(block, "cuda-drivers")
