# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan for the driver of a node; nvidia_planner makes it, nvidia_plan_text tells it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_rival_sources import SupersededFile
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_conflicts import Conflict
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_purge import Purge

HEALTHY, INSTALL, REPAIR, STOPPED = "healthy", "install", "repair", "stopped"


@dataclass
class Plan:
    """What the module returns as ``plan``; the meaning of each field is documented there."""

    state: str
    target: str
    conflicts: list[Conflict] = field(default_factory=list)
    purge: list[Purge] = field(default_factory=list)
    purge_forced: bool = False
    hold_changes: list[str] = field(default_factory=list)
    dpkg_finish: list[str] = field(default_factory=list)
    dkms_remove: list[str] = field(default_factory=list)
    dkms_autoinstall: list[str] = field(default_factory=list)
    remove_files: list[SupersededFile] = field(default_factory=list)
    runfile_uninstall: bool = False
    pin: dict[str, str] | None = None
    kept_pin: dict[str, str] | None = None
    install: list[str] = field(default_factory=list)
    candidates: dict[str, str] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    kernel_upgrade: bool = False
    reboot_first: list[str] = field(default_factory=list)
    reboot_reasons: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done at all."""
        return not self.stops and not self.changes and not self.reboot_reasons

    @property
    def changes(self) -> bool:
        """Whether anything on disk would change."""
        return bool(
            self.purge
            or self.dpkg_finish
            or self.dkms_remove
            or self.dkms_autoinstall
            or self.remove_files
            or self.runfile_uninstall
            or self.install
            or self.headers
        )

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {**asdict(self), "empty": self.empty}
