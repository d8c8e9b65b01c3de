# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.dkms_status import DkmsModule, parse

RECORDED = Path(__file__).parent / "recorded/nvidia"


def test_recorded_on_debian() -> None:
    for release, version in ((12, "535.261.03"), (13, "550.163.01")):
        text = (RECORDED / f"debian-{release}.dkms-status").read_text()
        assert parse(text) == (DkmsModule("nvidia-current", version, None, "added"),)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # dkms 2, as Ubuntu 20.04 had it
        ("nvidia, 550.54.15: added", DkmsModule("nvidia", "550.54.15", None, "added")),
        (
            "nvidia, 550.54.15, 5.15.0-119-generic, x86_64: installed",
            DkmsModule("nvidia", "550.54.15", "5.15.0-119-generic", "installed"),
        ),
        # dkms 3
        (
            "nvidia/595.91.07, 6.8.0-45-generic, x86_64: installed",
            DkmsModule("nvidia", "595.91.07", "6.8.0-45-generic", "installed"),
        ),
        (
            "nvidia/595.91.07, 6.8.0-45-generic, x86_64: installed (WARNING! Diff between built and installed module!)",
            DkmsModule("nvidia", "595.91.07", "6.8.0-45-generic", "installed"),
        ),
        ("nvidia/535.288.01: broken", DkmsModule("nvidia", "535.288.01", None, "broken")),
        (
            "nvidia-current-open/550.163.01, 6.12.107+deb13-amd64, x86_64: built",
            DkmsModule("nvidia-current-open", "550.163.01", "6.12.107+deb13-amd64", "built"),
        ),
    ],
)
def test_forms(line: str, expected: DkmsModule) -> None:
    assert parse(f"{line}\n") == (expected,)


@pytest.mark.parametrize(
    "line",
    [
        "zfs/2.1.11, 6.1.0-40-amd64, x86_64: installed",
        "nvidia-fs/2.19.7, 6.8.0-45-generic, x86_64: installed",
        "Warning: The module in /var/lib/dkms/nvidia/550 is broken",
        "",
    ],
)
def test_what_is_not_the_driver_is_left_out(line: str) -> None:
    assert parse(line) == ()
