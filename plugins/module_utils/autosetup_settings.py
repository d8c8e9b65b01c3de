# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The autosetup of a GPU node, from what the inventory asks for and the disks that were found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import autosetup_image
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup import PASSPHRASE, mebibytes
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import RAID_LEVELS
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_traps import hostname_ok

_PREFIX = "hetzner_bootstrap_"
PLAIN = "plain"
LAYOUTS = ("auto", PLAIN, *(f"raid{level}" for level in RAID_LEVELS))
# installimage wants 256M. fwupd puts firmware there, and the unified kernels of later releases are large.
_ESP_SIZE = "512M"
# A kernel with its initramfs takes up to 250 MB where the firmware of the GPU (GSP) is in it; three kernels are kept.
_LEAST_BOOT_MIB = 1024
_LEAST_PASSPHRASE = 8
_MOST_PASSPHRASE = 512  # of what cryptsetup reads from a keyboard


@dataclass(frozen=True)
class Settings:
    """The settings of the role hetzner_bootstrap that the file is made from, without their prefix.

    ``authorized_keys_file`` is a file of the rescue system with the public keys that may log in as root; empty to take
    over those of the rescue system.
    """

    hostname: str
    distribution: str = "ubuntu-24.04"
    architecture: str = "amd64"
    image: str = autosetup_image.AUTO
    layout: str = "auto"
    boot_size: str = "2G"
    swap_size: str = "8G"
    encrypt: bool = False
    authorized_keys_file: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Settings:
        """From a mapping, as a filter gets it; other keys are no concern."""
        known = {one.name: settings[one.name] for one in fields(cls) if one.name in settings}
        encrypt = bool(known.pop("encrypt", False))
        return cls(**{name: str(value) for name, value in known.items()}, encrypt=encrypt)


def settings_problems(settings: Settings, passphrase: str = "") -> list[str]:
    """What can be said before any disk is known, in the words of the inventory."""
    return [
        *_choices(settings),
        *_sizes(settings),
        *(_passphrase(passphrase) if settings.encrypt else ()),
    ]


def level(layout: str, disks: int) -> str | None:
    """The level of software RAID; None for a plain disk."""
    if layout == "auto":
        layout = PLAIN if disks == 1 else "raid1"
    return None if layout == PLAIN else layout.removeprefix("raid")


def render(settings: Settings, drives: Sequence[str], uefi: bool, image: str, passphrase: str = "") -> str:
    """The text of /autosetup. All of the drives are erased; a plain system goes to the first one.

    :param drives: paths of devices.
    :param image: the path of the archive.
    :param passphrase: written where the root is encrypted; it is a secret from then on, see ``autosetup.masked``.
    """
    return "".join(f"{line}\n" for line in _lines(settings, drives, uefi, image, passphrase))


def _lines(settings: Settings, drives: Sequence[str], uefi: bool, image: str, passphrase: str) -> Iterator[str]:
    raid = level(settings.layout, len(drives))
    for n, drive in enumerate(drives, 1):
        yield f"DRIVE{n} {drive}"
    if raid is None:
        yield from (f"FORMATDRIVE{n} 1" for n in range(2, len(drives) + 1))
        yield "SWRAID 0"
    else:
        yield from ("SWRAID 1", f"SWRAIDLEVEL {raid}")  # in this order: the name of the first begins the second's
    yield "BOOTLOADER grub"
    yield f"HOSTNAME {settings.hostname}"
    yield "USE_KERNEL_MODE_SETTING no"
    if settings.authorized_keys_file:
        yield f"SSHKEYS_URL {settings.authorized_keys_file}"
    if uefi:
        yield f"PART /boot/efi esp {_ESP_SIZE}"
    if mebibytes(settings.swap_size):
        yield f"PART swap swap {settings.swap_size}"
    yield f"PART /boot ext4 {settings.boot_size}"
    yield f"PART / ext4 all{' crypt' if settings.encrypt else ''}"
    if settings.encrypt:
        yield f"{PASSPHRASE} {passphrase}"
    yield f"IMAGE {image}"


def _choices(settings: Settings) -> Iterator[str]:
    if not hostname_ok(settings.hostname):
        yield (
            f"{_PREFIX}hostname is {settings.hostname!r}, which is no host name: letters, digits, hyphens and dots, "
            "64 characters at most. It is the name of the host in the inventory where nothing else is set."
        )
    for name, known in (
        ("layout", LAYOUTS),
        ("distribution", tuple(autosetup_image.DISTRIBUTIONS)),
        ("architecture", ("amd64", "arm64")),
    ):
        value = getattr(settings, name)
        if value not in known:
            yield f"{_PREFIX}{name} is {value!r}, and can be {', '.join(known)}."
    image = settings.image
    if ":" in image or ("/" in image and not image.startswith("/")) or len(image.split()) != 1:
        yield (
            f"{_PREFIX}image is {image!r}. It is auto, the name of an image such as Ubuntu-2404-noble-amd64-base, or "
            "the path of an archive in the rescue system. What installimage downloads itself it does not check."
        )
    elif image != autosetup_image.AUTO:
        found = autosetup_image.read(image)
        if found and found.architecture != settings.architecture:
            yield (
                f"{_PREFIX}image is {image}, made for {found.architecture}, and {_PREFIX}architecture is "
                f"{settings.architecture}. Let them agree."
            )


def _sizes(settings: Settings) -> Iterator[str]:
    boot, swap = settings.boot_size, settings.swap_size
    if not _size(boot) or (mebibytes(boot) or 0) < _LEAST_BOOT_MIB:
        yield (
            f"{_PREFIX}boot_size is {boot!r}, and has to be a size of at least 1G, such as 2G. Several kernels have "
            "their place there, each with an initramfs that can hold the firmware of the GPU."
        )
    if swap != "0" and not _size(swap):
        yield f"{_PREFIX}swap_size is {swap!r}, and has to be a size such as 8G, or 0 for none."
    if settings.encrypt and swap != "0":
        yield (
            f"{_PREFIX}encrypt is on and {_PREFIX}swap_size is {swap}. A swap partition would hold parts of the memory "
            f"in plain text. Set {_PREFIX}swap_size to 0; a swap file on the encrypted root can be added later."
        )


def _size(text: str) -> bool:
    return bool(mebibytes(text)) and not text.isdecimal()


def _passphrase(passphrase: str) -> Iterator[str]:
    name = f"{_PREFIX}encryption_passphrase"
    if not passphrase:
        yield f"{_PREFIX}encrypt is on, and {name} is empty. Set it in a vault."
    elif not passphrase.isascii() or not passphrase.isprintable() or passphrase != passphrase.strip():
        yield (
            f"{name} has a character that is no printable ASCII, or begins or ends with a blank. It has to be typed at "
            "the server's console, and installimage reads it from one line."
        )
    elif not _LEAST_PASSPHRASE <= len(passphrase) <= _MOST_PASSPHRASE:
        yield f"{name} has {len(passphrase)} characters, and has to have {_LEAST_PASSPHRASE} to {_MOST_PASSPHRASE}."
