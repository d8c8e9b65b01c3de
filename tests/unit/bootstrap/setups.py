# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The set-ups of the golden files in ``autosetup/``; ``python -m`` this module writes them anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_refusals import Machine
from ansible_collections.toolserve.gpunode.plugins.module_utils.autosetup_settings import Settings, render

FOLDER = Path(__file__).parent / "autosetup"
IMAGES = "/root/.oldroot/nfs/images"
UBUNTU = f"{IMAGES}/Ubuntu-2404-noble-amd64-base.tar.gz"
PASSPHRASE = "only for the tests"
NVME_BYTES = 512_110_190_592
SATA_BYTES = 6_001_175_126_016


@dataclass(frozen=True)
class SetUp:
    """One server with what is asked for, and the name of its golden file."""

    name: str
    disks: int
    kind: str
    uefi: bool
    image: str = UBUNTU
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def drives(self) -> list[str]:
        names = {"nvme": [f"nvme{n}n1" for n in range(4)], "sata": [f"sd{letter}" for letter in "abcd"]}
        return [f"/dev/{name}" for name in names[self.kind][: self.disks]]

    @property
    def machine(self) -> Machine:
        size = NVME_BYTES if self.kind == "nvme" else SATA_BYTES
        architecture = "arm64" if "-arm64-" in self.image else "x86_64"
        return Machine(self.uefi, architecture, dict.fromkeys(self.drives, size))

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.conf"

    def text(self) -> str:
        settings = Settings.of({"hostname": "gpu1", "authorized_keys_file": "/root/gpunode-keys", **self.settings})
        return render(settings, self.drives, self.uefi, self.image, PASSPHRASE)


def _more() -> list[SetUp]:
    encrypted = {"encrypt": True, "swap_size": "0"}
    debian = f"{IMAGES}/Debian-1303-trixie-amd64-base.tar.zst"
    arm = f"{IMAGES}/Ubuntu-2404-noble-arm64-base.tar.gz"
    return [
        SetUp("1-nvme-uefi-encrypted", 1, "nvme", True, settings=encrypted),
        SetUp("2-nvme-uefi-raid1-encrypted", 2, "nvme", True, settings=encrypted),
        SetUp("2-nvme-uefi-plain", 2, "nvme", True, settings={"layout": "plain"}),
        SetUp("2-nvme-uefi-raid0", 2, "nvme", True, settings={"layout": "raid0"}),
        SetUp("2-nvme-uefi-arm64", 2, "nvme", True, image=arm, settings={"architecture": "arm64"}),
        SetUp("3-sata-bios-raid5", 3, "sata", False, settings={"layout": "raid5"}),
        SetUp("4-sata-bios-raid6", 4, "sata", False, settings={"layout": "raid6"}),
        SetUp("4-nvme-uefi-raid10", 4, "nvme", True, settings={"layout": "raid10", "boot_size": "4G"}),
        SetUp("1-nvme-bios-no-swap", 1, "nvme", False, image=debian, settings={"swap_size": "0"}),
    ]


MATRIX = [
    SetUp(f"{disks}-{kind}-{firmware}", disks, kind, firmware == "uefi")
    for disks in (1, 2, 4)
    for kind in ("nvme", "sata")
    for firmware in ("uefi", "bios")
]
ALL = [*MATRIX, *_more()]

if __name__ == "__main__":
    for one in ALL:
        one.path.write_text(one.text(), encoding="utf-8")
