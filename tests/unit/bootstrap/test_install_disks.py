# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.install_disks import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.install_disk_choice import (
    announcement_problems,
    choose,
    expected_count,
    wiped,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.install_disks import Disk, counted, read

GB = 10**9
BOTH = [{"serial": "S1"}, {"serial": "S2"}]


def device(name: str, **more: Any) -> dict[str, Any]:
    """As util-linux 2.38 prints it, with the columns that are looked at."""
    return {
        "name": name,
        "path": f"/dev/{name}",
        "type": "part",
        "size": 512 * GB,
        "model": None,
        "serial": None,
        "wwn": None,
        "tran": None,
        "rm": False,
        "ro": False,
        "fstype": None,
        "label": None,
        "partlabel": None,
        "uuid": None,
        "mountpoints": [None],
        **more,
    }


def nvme(number: int, *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"type": "disk", "model": "SAMSUNG MZVL2512 ", "serial": f"S{number + 1}", "wwn": f"eui.00{number}"}
    disk = device(f"nvme{number}n1", **{**known, "size": 512_110_190_592, "tran": "nvme", **more})
    return {**disk, "children": list(children)} if children else disk


def lsblk(*devices: dict[str, Any]) -> dict[str, Any]:
    return {"blockdevices": list(devices)}


def of_an_array(number: int, array: dict[str, Any], uuid: str = "5f0c") -> dict[str, Any]:
    member = device(f"nvme{number}n1p1", fstype="linux_raid_member", uuid=uuid, children=[array])
    return nvme(number, member)


ARRAY = device("md0", type="raid1", fstype="ext4")
USB = device("sda", type="disk", model="Stick", serial="U1", tran="usb", rm=True, size=64 * GB)
FRESH = lsblk(nvme(1), nvme(0))


def test_disks_are_read() -> None:
    first, second = read(FRESH)
    assert first == Disk("/dev/nvme0n1", 512_110_190_592, "SAMSUNG MZVL2512", "S1", "eui.000", "nvme")
    assert (second.name, second.serial) == ("nvme1n1", "S2")
    assert first.label() == "/dev/nvme0n1 (SAMSUNG MZVL2512, serial S1, 512 GB, NVMe)"


@pytest.mark.parametrize("name", ["loop0", "zram0", "ram1", "nbd0", "sr0", "md0", "fd0", "dm-1"])
def test_what_is_no_disk(name: str) -> None:
    assert read(lsblk(device(name, type="disk"))) == []


def test_a_card_reader_without_a_card_is_no_disk() -> None:
    assert read(lsblk(device("sdb", type="disk", size=0))) == []


def test_what_an_older_lsblk_prints() -> None:
    old = {"name": "sda", "type": "disk", "size": "6001175126016", "rm": "1", "ro": "0", "mountpoint": "/mnt"}
    (disk,) = read(lsblk(old))
    assert disk.removable and not disk.read_only
    assert (disk.path, disk.size_bytes, disk.mounted) == ("/dev/sda", 6001175126016, ("/mnt",))


def test_disks_are_in_the_order_of_their_numbers() -> None:
    names = [disk.name for disk in read(lsblk(nvme(10), nvme(2), nvme(0)))]
    assert names == ["nvme0n1", "nvme2n1", "nvme10n1"]


def test_what_installimage_counts() -> None:
    tiny = device("sdb", type="disk", size=4 * GB)
    assert [disk.name for disk in counted(read(lsblk(nvme(0), tiny, USB, device("mmcblk0", type="disk"))))] == [
        "nvme0n1",
        "sda",
    ]
    assert [disk.name for disk in counted(read(lsblk(tiny)))] == ["sdb"]


@pytest.mark.parametrize(
    "announced",
    [
        BOTH,
        [{"wwn": "eui.000"}, {"wwn": "EUI.001"}],
        [{"name": "nvme0n1", "size_gb": 512}, {"name": "/dev/nvme1n1", "size_gb": 500}],
        [{"serial": "s1", "model": "SAMSUNG MZVL2512"}, {"serial": " S2 ", "size_gb": "512"}],
        [{"count": 2, "minimum_size_gb": 512}],
        [{"count": "2", "minimum_size_gb": 100}],
    ],
)
def test_announced_disks_are_found(announced: list[dict[str, Any]]) -> None:
    choice = choose(read(FRESH), announced)
    assert [disk.serial for disk in choice.disks] == ["S1", "S2"] and choice.problems == []
    assert expected_count(announced) == 2


def test_they_keep_the_order_in_which_they_were_announced() -> None:
    assert [disk.serial for disk in choose(read(FRESH), BOTH[::-1]).disks] == ["S2", "S1"]


@pytest.mark.parametrize(
    ("announced", "told"),
    [
        ([{"serial": "S1"}, {"serial": "S9"}], "No disk of the server has serial S9."),
        ([{"serial": "S1"}, {"serial": "S1"}], "/dev/nvme0n1 is announced twice"),
        ([{"serial": "S1", "size_gb": 960}], "differs in size_gb only"),
        ([{"name": "nvme0n1", "size_gb": 540}], "No disk of the server has"),
        ([{"name": "sda", "size_gb": 512}], "No disk of the server has"),
        # Which of the two will be called nvme1n1 tomorrow, nobody knows.
        ([{"name": "nvme1n1", "size_gb": 512}], "nvme1n1 is announced by its name, and /dev/nvme0n1 (SAMSUNG"),
        ([{"model": "samsung mzvl2512", "serial": "S2", "wwn": "eui.000"}], "differs in"),
        ([{"count": 1, "minimum_size_gb": 100}], "the server has 2 that"),
        ([{"count": 2, "minimum_size_gb": 900}], "the server has 0 that"),
    ],
)
def test_what_does_not_fit_is_told_with_what_is_there(announced: list[dict[str, Any]], told: str) -> None:
    problems = choose(read(FRESH), announced).problems
    assert told in problems[0]
    assert problems[-1].startswith("The server has /dev/nvme0n1 (SAMSUNG")


def test_two_disks_that_are_alike() -> None:
    twins = lsblk(nvme(0, serial=""), nvme(1, serial="", wwn="eui.000"))
    assert "2 disks have wwn eui.000" in choose(read(twins), [{"wwn": "eui.000"}]).problems[0]


@pytest.mark.parametrize(
    ("announced", "told"),
    [
        ([], "is empty: no disk may be erased"),
        ("all", "is no list"),
        ({"serial": "S1"}, "is no list"),
        (["nvme0n1"], "which is no mapping"),
        ([{"name": "nvme0n1"}], "too little to tell a disk by"),
        ([{"size_gb": 512}], "too little"),
        ([{"model": "x", "size_gb": 512}], "too little"),
        ([{"serial": ""}], "too little"),
        ([{}], "nothing only"),
        ([{"serial": "S1", "siez_gb": 1}], "siez_gb"),
        ([{"serial": "S1", "size_gb": "big"}], "no number"),
        ([{"count": 2}], "stands alone"),
        ([{"count": 2, "minimum_size_gb": 1}, {"serial": "S1"}], "stands alone"),
        ([{"count": 2, "minimum_size_gb": 1, "serial": "S1"}], "stands alone"),
        ([{"count": 1.5, "minimum_size_gb": 1}], "whole one"),
        ([{"count": 0, "minimum_size_gb": 1}], "whole one"),
        ([{"count": True, "minimum_size_gb": 1}], "whole one"),
        ([{"count": 2, "minimum_size_gb": -1}], "numbers"),
    ],
)
def test_announcements_that_say_nothing(announced: Any, told: str) -> None:
    assert told in announcement_problems(announced)[0]
    choice = choose(read(FRESH), announced)
    assert choice.disks == [] and told in choice.problems[0]


@pytest.mark.parametrize(
    ("disk", "told"),
    [
        (nvme(0, tran="usb"), "attached by USB"),
        (nvme(0, tran="iscsi"), "attached by iSCSI"),
        (nvme(0, rm=True), "removable"),
        (nvme(0, ro=True), "read-only"),
        (nvme(0, size=5 * GB), "too small"),
        (device("mmcblk0", type="disk", serial="S1"), "knows no disks of this name"),
    ],
)
def test_what_cannot_be_installed_to(disk: dict[str, Any], told: str) -> None:
    assert told in choose(read(lsblk(disk)), [{"serial": "S1"}]).problems[0]
    assert choose(read(lsblk(disk, nvme(1))), [{"count": 1, "minimum_size_gb": 1}]).problems == []


@pytest.mark.parametrize("place", ["/mnt", "[SWAP]", "/"])
def test_a_disk_in_use(place: str) -> None:
    part = device("nvme0n1p1", mountpoints=[None, place])
    choice = choose(read(lsblk(nvme(0, part), nvme(1))), BOTH)
    assert f"/dev/nvme0n1 is in use: {place}" in choice.problems[0]
    assert choose(read(lsblk(nvme(0, part), nvme(1))), [{"serial": "S2"}]).problems == []


def test_what_is_mounted_deep_in_a_disk() -> None:
    volume = device("mapper/vg0-root", type="lvm", mountpoints=["/mnt"])
    array = device("md0", type="raid1", children=[device("md0p1", children=[volume])])
    found = lsblk(of_an_array(0, array), of_an_array(1, array))
    assert "/mnt" in choose(read(found), BOTH).problems[0]


def test_an_installimage_that_was_ended_has_left_its_mounts() -> None:
    part = device("nvme0n1p3", mountpoints=["/installimage.a1b2c/hdd"])
    assert choose(read(lsblk(nvme(0, part), nvme(1))), BOTH).problems == []


def test_an_array_on_announced_disks_is_erased_with_them() -> None:
    choice = choose(read(lsblk(of_an_array(0, ARRAY), of_an_array(1, ARRAY))), BOTH)
    assert choice.problems == []
    assert "  /dev/md0: 512 GB, ext4" in wiped(choice.disks)


@pytest.mark.parametrize("assembled", [True, False])
def test_an_array_that_reaches_to_another_disk_is_not_torn(assembled: bool) -> None:
    array = ARRAY if assembled else device("none")
    found = lsblk(*(of_an_array(n, array if assembled else device(f"x{n}")) for n in range(2)))
    problems = choose(read(found), [{"serial": "S1"}]).problems
    assert any("is on /dev/nvme0n1 and on /dev/nvme1n1, which was not announced" in one for one in problems)
    assert any("linux_raid_member 5f0c" in one for one in problems)


def test_arrays_that_are_not_shared_are_no_concern() -> None:
    found = lsblk(of_an_array(0, device("md0", type="raid1")), of_an_array(1, device("md1", type="raid1"), uuid="6e"))
    assert choose(read(found), [{"serial": "S1"}]).problems == []


@pytest.mark.parametrize("fstype", ["zfs_member", "btrfs"])
def test_a_pool_that_reaches_to_another_disk(fstype: str) -> None:
    parts = [device(f"nvme{n}n1p1", fstype=fstype, uuid="77", label="tank") for n in range(2)]
    found = lsblk(nvme(0, parts[0]), nvme(1, parts[1]))
    assert "tank" in choose(read(found), [{"serial": "S2"}]).problems[0]


def test_a_copied_file_system_is_no_pool() -> None:
    parts = [device(f"nvme{n}n1p1", fstype="ext4", uuid="77") for n in range(2)]
    assert choose(read(lsblk(nvme(0, parts[0]), nvme(1, parts[1]))), [{"serial": "S2"}]).problems == []


def test_a_volume_group_that_reaches_to_another_disk() -> None:
    parts = [device(f"nvme{n}n1p1", fstype="LVM2_member", uuid=f"pv{n}") for n in range(2)]
    found, groups = lsblk(nvme(0, parts[0]), nvme(1, parts[1])), {"/dev/nvme0n1p1": "vg0", "/dev/nvme1n1p1": "vg0"}
    assert choose(read(found), [{"serial": "S1"}]).problems == []  # nobody knows
    assert "volume group vg0" in choose(read(found, groups), [{"serial": "S1"}]).problems[0]


def test_what_is_lost_is_told() -> None:
    parts = [
        device("nvme0n1p1", size=537 * 10**6, fstype="vfat", partlabel="EFI System"),
        device("nvme0n1p2", fstype="LVM2_member", uuid="pv0"),
        device("nvme0n1p3", size=20 * GB, parttypename="Microsoft basic data"),
    ]
    disks = read(lsblk(nvme(0, *parts), nvme(1, fstype="ext4", label="data")), {"/dev/nvme0n1p2": "vg0"})
    assert wiped(disks) == [
        "/dev/nvme0n1 (SAMSUNG MZVL2512, serial S1, 512 GB, NVMe)",
        "  /dev/nvme0n1p1: 537 MB, vfat, labelled EFI System",
        "  /dev/nvme0n1p2: 512 GB, LVM2_member, in volume group vg0",
        "  /dev/nvme0n1p3: 20 GB, Microsoft basic data",
        "/dev/nvme1n1 (SAMSUNG MZVL2512, serial S2, 512 GB, NVMe)",
        "  /dev/nvme1n1: 512 GB, ext4, labelled data",
    ]
    assert wiped(read(lsblk(nvme(0))))[1] == "  no partitions or file systems found"


def test_the_filter() -> None:
    found = FilterModule().filters()["install_disks"](lsblk(nvme(0), nvme(1), USB), BOTH)
    assert found["drives"] == ["/dev/nvme0n1", "/dev/nvme1n1"]
    assert found["problems"] == [] and len(found["labels"]) == 2
    assert found["counted"] == {"/dev/nvme0n1": 512110190592, "/dev/nvme1n1": 512110190592, "/dev/sda": 64 * GB}
