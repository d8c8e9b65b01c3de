# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import install_disk_choice, installed_on_disks
from ansible_collections.toolserve.gpunode.plugins.module_utils.install_disks import counted, read


def install_disks(
    lsblk: Mapping[str, Any], announced: Any, volume_groups: Mapping[str, str] | None = None
) -> dict[str, Any]:
    disks = read(lsblk, volume_groups)
    choice = install_disk_choice.choose(disks, announced)
    return {
        "drives": [disk.path for disk in choice.disks],
        "labels": [disk.label() for disk in choice.disks],
        "problems": choice.problems,
        "wiped": install_disk_choice.wiped(choice.disks),
        "counted": {disk.path: disk.size_bytes for disk in counted(disks)},
    }


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "install_disks": install_disks,
            "install_disk_places": installed_on_disks.places,
            "install_disk_announcement_problems": install_disk_choice.announcement_problems,
        }
