# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_simulation import removed, unplanned

OUTPUT = """\
Reading package lists...
The following packages will be REMOVED:
  obs-studio nvidia-driver-550 libcuda1:i386
Remv obs-studio [30.0.2] [libnvidia-encode1:amd64 ]
Remv nvidia-driver-550 [550.163.01-0ubuntu1]
Remv libcuda1:i386 [550.163.01-2]
Inst cuda-drivers [550.163.01-2] (595.91.07-1 NVIDIA:NVIDIA CUDA [amd64])
Conf cuda-drivers (595.91.07-1 NVIDIA:NVIDIA CUDA [amd64])
"""


def test_what_apt_removes_is_read_from_its_actions_alone():
    assert removed(OUTPUT) == ["libcuda1:i386", "nvidia-driver-550", "obs-studio"]
    assert removed(OUTPUT.replace("Remv ", "Purg ")) == removed(OUTPUT)


@pytest.mark.parametrize(
    ("planned", "left"),
    [
        (["nvidia-driver-550", "libcuda1:i386"], ["obs-studio"]),
        (["nvidia-driver-550", "libcuda1:i386", "obs-studio", "never-there"], []),
        (["nvidia-driver-550", "libcuda1", "obs-studio"], ["libcuda1:i386"]),
    ],
)
def test_what_is_not_planned_is_named(planned, left):
    assert unplanned(OUTPUT, planned) == left


def test_an_installation_that_removes_nothing():
    assert unplanned("Inst cuda-drivers (595.91.07-1)\nConf cuda-drivers (595.91.07-1)\n", []) == []
