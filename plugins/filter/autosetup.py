# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    autosetup,
    autosetup_image,
    autosetup_installed,
    autosetup_settings,
    autosetup_traps,
    install_disk_choice,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import Machine
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_settings import Settings

_ARCHITECTURES = {"aarch64": "arm64"}


def autosetup_settings_problems(settings: Mapping[str, Any], passphrase: str = "") -> list[str]:
    return autosetup_settings.settings_problems(Settings.of(settings), str(passphrase))


def autosetup_image_path(settings: Mapping[str, Any], paths: Sequence[str] = ()) -> str:
    wanted = Settings.of(settings)
    return autosetup_image.choose(wanted.image, wanted.distribution, wanted.architecture, paths)


def autosetup_expected_image(settings: Mapping[str, Any]) -> str:
    wanted = Settings.of(settings)
    return autosetup_image.expected(wanted.image, wanted.distribution, wanted.architecture)


def autosetup_text(
    settings: Mapping[str, Any], drives: Sequence[str], uefi: bool, image: str, passphrase: str = ""
) -> str:
    return autosetup_settings.render(Settings.of(settings), drives, uefi, image, str(passphrase))


def autosetup_problems(text: str, uefi: bool, machine: str, disks: Mapping[str, int]) -> list[str]:
    known = Machine(bool(uefi), _ARCHITECTURES.get(machine, machine), disks)
    return autosetup_traps.problems(autosetup.parse(text), known)


def autosetup_differences(
    installed: str, settings: Mapping[str, Any], announced: Sequence[Mapping[str, Any]], uefi: bool
) -> list[str]:
    count = install_disk_choice.expected_count(announced)
    wanted = autosetup_installed.wanted(Settings.of(settings), count, uefi)
    return autosetup_installed.differences(autosetup.parse(installed), wanted)


def autosetup_installed_at(
    found: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], announced: Sequence[Mapping[str, Any]], uefi: bool
) -> list[Mapping[str, Any]]:
    def wanted(conf: str) -> bool:
        text = base64.b64decode(conf).decode(errors="replace")
        return bool(text.strip()) and not autosetup_differences(text, settings, announced, uefi)

    return [one for one in found if wanted(one["conf"])]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "autosetup_differences": autosetup_differences,
            "autosetup_expected_image": autosetup_expected_image,
            "autosetup_image": autosetup_image_path,
            "autosetup_installed_at": autosetup_installed_at,
            "autosetup_masked": autosetup.masked,
            "autosetup_problems": autosetup_problems,
            "autosetup_settings_problems": autosetup_settings_problems,
            "autosetup_text": autosetup_text,
        }
