# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an installed system is the one that is wanted: its /installimage.conf against the settings.

installimage copies /autosetup there without the comments and changes nothing else, so that the passphrase is in it. The
kernel's names of disks may change from boot to boot, so that they say nothing; their number does.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.toolserve.gpunode.plugins.module_utils import autosetup_image
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import (
    VALUES,
    Autosetup,
    mebibytes,
    parse,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_settings import Settings, render

_DEFAULTS = {"BOOTLOADER": "grub", "SWRAID": "0", "GOVERNOR": "ondemand"}
_SWITCHES = {"USE_KERNEL_MODE_SETTING": True, "IPV4_ONLY": False}
# How the keys came in is over once the system is there.
_PAST = ("SSHKEYS_URL", "TAKE_OVER_RESCUE_SYSTEM_SSH_PUBLIC_KEYS", "FORCE_SIGN", "RAID_ASSUME_CLEAN")


def wanted(settings: Settings, disks: int, uefi: bool) -> Autosetup:
    """What a new installation would ask for, as far as it can be said without the rescue system."""
    image = autosetup_image.expected(settings.image, settings.distribution, settings.architecture)
    return parse(render(settings, [f"/dev/disk{n}" for n in range(1, disks + 1)], uefi, image))


def same(first: Autosetup, second: Autosetup) -> bool:
    """Whether both would make the same system."""
    return not differences(first, second)


def differences(there: Autosetup, wanted: Autosetup) -> list[str]:
    """In which they differ, as ``HOSTNAME is gpu1, and gpu2 is wanted``. Passphrases are not compared."""
    return [f"{what} is {have}, and {want} is wanted" for what, have, want in _pairs(there, wanted) if have != want]


def _pairs(there: Autosetup, wanted: Autosetup) -> Iterator[tuple[str, str, str]]:
    yield "The number of drives", str(len(there.drives)), str(len(wanted.drives))
    yield "The number of other drives erased", str(len(there.format_drives)), str(len(wanted.format_drives))
    for key in VALUES:
        if key == "IMAGE":
            image, other = there.values.get(key, ""), wanted.values.get(key, "")
            yield key, image, image if autosetup_image.same(image, other) else other
        elif key == "SWRAIDLEVEL":
            yield key, _level(there), _level(wanted)
        elif key in _SWITCHES:
            default = _SWITCHES[key]
            yield key, _yes(there.switch(key, default)), _yes(wanted.switch(key, default))
        elif key not in _PAST:
            default_value = _DEFAULTS.get(key, "nothing")
            yield key, there.values.get(key, default_value), wanted.values.get(key, default_value)
    yield "PART", _parts(there), _parts(wanted)
    yield "LV", str(there.volumes), str(wanted.volumes)
    yield "SUBVOL", str(there.subvolumes), str(wanted.subvolumes)


def _level(setup: Autosetup) -> str:
    return setup.raid_level if setup.software_raid == "1" else "nothing"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _parts(setup: Autosetup) -> str:
    """With sizes in mebibytes: 2G and 2048M are the same."""
    rows = [(part.mount, part.filesystem, _mib(part.size), part.crypt) for part in setup.parts]
    return ", ".join(" ".join(filter(None, row)) for row in rows) or "nothing"


def _mib(size: str) -> str:
    mib = mebibytes(size)
    return size if mib is None else f"{mib}M"
