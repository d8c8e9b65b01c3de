# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import (
    PASSPHRASE,
    REPEATED,
    VALUES,
    key_of,
    masked,
    mebibytes,
    parse,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import RAID_LEVELS, Machine, share
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_settings import (
    Settings,
    level,
    render,
    settings_problems,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_traps import problems
from ansible_collections.toolserve.gpunode.tests.unit.bootstrap.setups import ALL, FOLDER, MATRIX, UBUNTU, SetUp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("setup", ALL, ids=lambda setup: setup.name)
def test_golden_file(setup: SetUp) -> None:
    assert setup.text() == setup.path.read_text(encoding="utf-8")


def test_there_is_a_golden_file_for_each_and_for_nothing_else() -> None:
    assert {path.stem for path in FOLDER.glob("*.conf")} == {setup.name for setup in ALL}
    assert len(MATRIX) == 3 * 2 * 2


def test_every_key_that_is_written_is_known_to_installimage() -> None:
    keys = {line.split(" ")[0] for setup in ALL for line in setup.text().splitlines()}
    assert all(key_of(f"{key} x") == key for key in keys)
    assert {"PART", "CRYPTPASSWORD", "FORMATDRIVE2", "SSHKEYS_URL"} < keys


@pytest.mark.parametrize("key", [*VALUES, *REPEATED, PASSPHRASE, "DRIVE1", "DRIVE12", "FORMATDRIVE3"])
def test_known_keys(key: str) -> None:
    assert key_of(f"{key} x") == key
    assert key_of(f" {key} x") is None


@pytest.mark.parametrize("line", ["DRIVE0 x", "DRIVE x", "IMAGES x", "swraid 1", "# PART", "PART=/", ""])
def test_unknown_keys(line: str) -> None:
    assert key_of(line) is None


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("HOSTNAME a b\n", "HOSTNAME", "a"),
        ("HOSTNAME\ta\n", "HOSTNAME", "a"),
        ("HOSTNAME a\nHOSTNAME b\n", "HOSTNAME", "a"),
        ("HOSTNAMES a\nHOSTNAME b\n", "HOSTNAME", "a"),
        ("#HOSTNAME a\n", "HOSTNAME", None),
        (" HOSTNAME a\n", "HOSTNAME", None),
        ("HOSTNAME=a\n", "HOSTNAME", None),
        ("HOSTNAME a\r\n", "HOSTNAME", "a\r"),
        ("SWRAIDLEVEL 5\nSWRAID 1\n", "SWRAID", "5"),
        ("IPV4_ONLY no\nIPV4_ONLY yes\n", "IPV4_ONLY", "yes"),
    ],
)
def test_values_are_read_as_installimage_reads_them(text: str, key: str, value: str | None) -> None:
    assert parse(text).values.get(key) == value


def test_drives_and_passphrase() -> None:
    read = parse("DRIVE10 /dev/x\nDRIVE1 /dev/a\nDRIVE2 /dev/b\nCRYPTPASSWORD  two  blanks \n")
    assert read.drives == {1: "/dev/x", 2: "/dev/b", 10: "/dev/x"}
    assert read.passphrase == " two  blanks "
    assert "blanks" not in repr(read)


@pytest.mark.parametrize(("value", "on"), [("yes", True), ("y", True), ("no", False), ("never", False), ("1", True)])
def test_switch(value: str, on: bool) -> None:
    assert parse(f"USE_KERNEL_MODE_SETTING {value}\n").switch("USE_KERNEL_MODE_SETTING", True) is on


@pytest.mark.parametrize(
    ("size", "mib"),
    [
        ("2G", 2048),
        ("2GiB", 2048),
        ("1T", 1 << 20),
        ("300M", 300),
        ("300", 300),
        ("all", None),
        ("2g", None),
        ("", None),
    ],
)
def test_sizes(size: str, mib: int | None) -> None:
    assert mebibytes(size) == mib


@pytest.mark.parametrize(
    ("mount", "raid", "mib"),
    [
        ("/", "0", 512),
        ("/", "1", 2048),
        ("/", "5", 682),
        ("/", "6", 1024),
        ("/", "10", 1024),
        ("swap", "0", 512),
        ("swap", "6", 2048),
        ("/boot", "0", 2048),
        ("/boot/efi", "5", 2048),
    ],
)
def test_what_a_partition_takes_on_each_of_four_disks(mount: str, raid: str, mib: int) -> None:
    setup = parse(f"SWRAID 1\nSWRAIDLEVEL {raid}\nPART {mount} ext4 2G\n")
    assert share(setup.parts[0], setup, 4) == mib


def test_layouts() -> None:
    assert [level("auto", disks) for disks in (1, 2, 3, 4)] == [None, "1", "1", "1"]
    assert [level(f"raid{one}", 4) for one in RAID_LEVELS] == list(RAID_LEVELS)
    assert level("plain", 4) is None


def test_the_passphrase_is_hidden() -> None:
    secret = "a canary, two words"
    text = render(Settings("gpu1", encrypt=True, swap_size="0"), ["/dev/sda"], False, UBUNTU, secret)
    assert secret in text
    hidden = masked(f"{text}[10:00:00] : {secret} again\n", secret)
    assert secret not in hidden and "CRYPTPASSWORD [hidden]\n" in hidden and "[hidden] again" in hidden
    assert secret not in masked(text)
    assert parse(hidden).parts == parse(text).parts


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hostname": "gpu_1"}, "hetzner_bootstrap_hostname"),
        ({"layout": "raid7"}, "hetzner_bootstrap_layout"),
        ({"distribution": "fedora"}, "hetzner_bootstrap_distribution"),
        ({"architecture": "x86"}, "hetzner_bootstrap_architecture"),
        ({"image": "http://example.org/Ubuntu-1-amd64-base.tar.gz"}, "hetzner_bootstrap_image"),
        ({"image": "images/Ubuntu"}, "hetzner_bootstrap_image"),
        ({"image": ""}, "hetzner_bootstrap_image"),
        ({"image": "a b"}, "hetzner_bootstrap_image"),
        ({"image": "Ubuntu-2404-noble-arm64-base"}, "hetzner_bootstrap_architecture is amd64"),
        ({"boot_size": "1023M"}, "at least 1G"),
        ({"boot_size": "2048"}, "hetzner_bootstrap_boot_size"),
        ({"boot_size": "all"}, "hetzner_bootstrap_boot_size"),
        ({"swap_size": "8"}, "hetzner_bootstrap_swap_size"),
        ({"swap_size": "none"}, "hetzner_bootstrap_swap_size"),
        ({"swap_size": "0G"}, "hetzner_bootstrap_swap_size"),
        ({"encrypt": True}, "in plain text"),
    ],
    ids=str,
)
def test_settings_that_are_refused(changed: dict[str, str], told: str) -> None:
    assert settings_problems(Settings("gpu1")) == []
    found = settings_problems(Settings.of({"hostname": "gpu1", **changed}), "long enough")
    assert len(found) == 1 and told in found[0]


@pytest.mark.parametrize(
    "passphrase", ["", "short", " begins with one", "ends with one ", "tab\ttab", "ümlaut-ümlaut", "x" * 513]
)
def test_passphrases_that_are_refused(passphrase: str) -> None:
    settings = Settings("gpu1", encrypt=True, swap_size="0")
    found = settings_problems(settings, passphrase)
    assert len(found) == 1 and "hetzner_bootstrap_encryption_passphrase" in found[0]
    assert not passphrase or passphrase not in found[0]
    assert settings_problems(settings, "exactly8") == []
    assert settings_problems(replace(settings, encrypt=False), passphrase) == []


@st.composite
def wishes(draw: st.DrawFn) -> tuple[Settings, str]:
    label = st.from_regex(r"[A-Za-z0-9_.-]{1,30}", fullmatch=True)
    sizes = st.builds("{}{}".format, st.integers(0, 4000), st.sampled_from(["M", "G", "GiB", "T", "MiB", "", "K"]))
    settings = Settings(
        hostname=draw(label),
        layout=draw(st.sampled_from(["auto", "plain", "raid0", "raid1", "raid5", "raid6", "raid10"])),
        boot_size=draw(st.sampled_from(["1G", "2G", "4096M"]) | sizes),
        swap_size=draw(st.sampled_from(["0", "8G"]) | sizes),
        encrypt=draw(st.booleans()),
        authorized_keys_file=draw(st.sampled_from(["", "/root/keys"])),
    )
    return settings, draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wishes(), st.integers(1, 6), st.booleans(), st.sampled_from([64, 512, 8000]))
def test_what_the_settings_allow_is_read_back_and_fits_the_rules(
    wish: tuple[Settings, str], disks: int, uefi: bool, gigabytes: int
) -> None:
    settings, passphrase = wish
    if settings_problems(settings, passphrase):
        return
    drives = [f"/dev/sd{letter}" for letter in "abcdef"[:disks]]
    read = parse(render(settings, drives, uefi, UBUNTU, passphrase))
    assert list(read.drives.values()) == drives
    assert read.values["HOSTNAME"] == settings.hostname and read.values["IMAGE"] == UBUNTU
    assert read.values.get("SSHKEYS_URL", "") == settings.authorized_keys_file
    assert not read.switch("USE_KERNEL_MODE_SETTING", True)
    assert read.passphrase == (passphrase if settings.encrypt else "")
    assert read.encrypted is settings.encrypt
    assert (read.raid_level if read.software_raid == "1" else None) == level(settings.layout, disks)
    # What is left to be said depends on the disks alone: how many they are, and how large.
    machine = Machine(uefi, "x86_64", dict.fromkeys(drives, gigabytes * 10**9))
    for problem in problems(read, machine):
        assert "disks" in problem or "The partitions take" in problem
