# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.autosetup import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import parse
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_installed import differences, same, wanted
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_settings import Settings
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.setups import ALL, SetUp

_BY_NAME = {one.name: one for one in ALL}
HEADER = "#\n# Hetzner Online GmbH - installimage\n#\n\n"


def conf(setup: SetUp) -> str:
    """/installimage.conf as installimage writes it."""
    return HEADER + "\n".join(line for line in setup.text().splitlines() if line)


@pytest.mark.parametrize("setup", ALL, ids=lambda setup: setup.name)
def test_what_was_installed_is_what_is_wanted(setup: SetUp) -> None:
    distribution = "debian-13" if "Debian" in setup.image else "ubuntu-24.04"
    settings = Settings.of({"hostname": "gpu1", "distribution": distribution, **setup.settings})
    assert differences(parse(conf(setup)), wanted(settings, setup.disks, setup.uefi)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/dev/nvme0n1", "/dev/nvme7n1"),
        ("noble-amd64-base.tar.gz", "noble-amd64-base.tar.zst"),
        ("CRYPTPASSWORD only for the tests", "CRYPTPASSWORD [hidden]"),
        ("SSHKEYS_URL /root/gpunode-keys\n", ""),
        ("esp 512M", "esp 512MiB"),
        ("ext4 2G", "ext4   2048M"),
        ("BOOTLOADER grub\n", ""),
        ("USE_KERNEL_MODE_SETTING no", "USE_KERNEL_MODE_SETTING n"),
    ],
)
def test_what_is_no_difference(old: str, new: str) -> None:
    text = conf(_BY_NAME["1-nvme-uefi-encrypted"])
    assert old in text
    assert same(parse(text.replace(old, new)), parse(text))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("HOSTNAME gpu1", "HOSTNAME gpu2", "HOSTNAME is gpu2, and gpu1 is wanted"),
        ("DRIVE2 /dev/nvme1n1\n", "", "The number of drives is 1, and 2 is wanted"),
        ("SWRAIDLEVEL 1", "SWRAIDLEVEL 0", "SWRAIDLEVEL is 0, and 1 is wanted"),
        ("SWRAID 1\nSWRAIDLEVEL 1", "SWRAID 0", "SWRAID is 0, and 1 is wanted"),
        ("2404-noble", "2204-jammy", "IMAGE is"),
        ("MODE_SETTING no", "MODE_SETTING yes", "USE_KERNEL_MODE_SETTING is yes, and no is wanted"),
        ("USE_KERNEL_MODE_SETTING no\n", "", "USE_KERNEL_MODE_SETTING is yes, and no is wanted"),
        ("HOSTNAME", "IPV4_ONLY yes\nHOSTNAME", "IPV4_ONLY is yes, and no is wanted"),
        ("swap 8G", "swap 4G", "PART is /boot/efi esp 512M, swap swap 4096M"),
        ("PART / ext4 all", "PART / ext4 all crypt", "/ ext4 all crypt, and"),
        ("PART / ext4 all", "PART lvm vg0 all\nLV vg0 root / ext4 all", "LV is"),
    ],
)
def test_differences(old: str, new: str, told: str) -> None:
    text = conf(_BY_NAME["2-nvme-uefi"])
    assert old in text
    found = differences(parse(text.replace(old, new)), parse(text))
    assert any(told in one for one in found)
    assert not same(parse(text.replace(old, new)), parse(text))


def test_of_a_file_that_is_empty() -> None:
    assert differences(parse(""), wanted(Settings("gpu1"), 1, True))


def test_the_filter_counts_the_announced_disks() -> None:
    compare = FilterModule().filters()["autosetup_differences"]
    text = conf(_BY_NAME["2-nvme-uefi"])
    assert compare(text, {"hostname": "gpu1"}, [{"serial": "a"}, {"serial": "b"}], True) == []
    assert compare(text, {"hostname": "gpu1"}, [{"count": 2, "minimum_size_gb": 1}], True) == []
    assert compare(text, {"hostname": "gpu1"}, [{"serial": "a"}], True)
    assert compare(text, {"hostname": "gpu1"}, [{"serial": "a"}, {"serial": "b"}], False)
