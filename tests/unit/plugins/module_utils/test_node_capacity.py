# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_capacity import disk_shortages, memory_shortages

GB, GIB = 10**9, 1 << 30
DF = """      Avail Filesystem     File
50000000000 /dev/sda1      /var/lib
50000000000 /dev/sda1      /
"""
DOCKER, CONTAINERD = "/var/lib/docker", "/var/lib/containerd"


def need(path: str, gigabytes: float, what: str = "the image") -> dict[str, Any]:
    return {"path": path, "bytes": int(gigabytes * GB), "what": what}


def test_what_fits_is_no_shortage() -> None:
    assert disk_shortages([need(DOCKER, 40), need(DOCKER, 10, "the weights")], DF) == []


def test_one_byte_more_does_not_fit_and_the_parts_are_named() -> None:
    (problem,) = disk_shortages([need(DOCKER, 40), need(CONTAINERD, 10.5, "the weights")], DF)
    assert "The disk under /var/lib/docker has 50 GB free, and 50 GB are needed" in problem
    assert "40 GB for the image and 10 GB for the weights" in problem
    assert disk_shortages([need(DOCKER, 50.000000001)], DF) != []


def test_another_file_system_has_room_of_its_own() -> None:
    df = DF + "20000000000 /dev/sdb1 /var/lib/docker\n"
    assert disk_shortages([need(DOCKER, 20), need(CONTAINERD, 50)], df) == []
    (problem,) = disk_shortages([need(DOCKER, 21), need(CONTAINERD, 50)], df)
    assert "under /var/lib/docker has 20 GB" in problem


def test_what_needs_nothing_is_not_named() -> None:
    (problem,) = disk_shortages([need(DOCKER, 0), need(DOCKER, 60, "the weights")], DF)
    assert "the image" not in problem


def test_a_path_with_a_space_and_one_that_df_does_not_know() -> None:
    assert disk_shortages([need("/srv/my disk/docker", 2)], "1 /dev/sdb /srv/my disk\n9 /dev/sda /\n") != []
    assert disk_shortages([need("relative", 2)], DF) == []


def profile(**fields: Any) -> dict[str, Any]:
    return {"bytes": {"checkpoint": 2 * GIB}, "vllm": {"environment": {"VLLM_CPU_KVCACHE_SPACE": "1"}}, **fields}


@pytest.mark.parametrize(("accelerator", "gib"), [("cuda", 4), ("cpu", 7)])
def test_weights_and_cache_are_in_main_memory_on_a_cpu_only(accelerator: str, gib: int) -> None:
    assert memory_shortages(gib * GIB, profile(), accelerator) == []
    (problem,) = memory_shortages(gib * GIB - 1, profile(), accelerator)
    assert f"{gib}.0 GiB are needed" in problem and ("the weights" in problem) is (accelerator == "cpu")


def test_a_profile_that_says_nothing_of_its_size() -> None:
    assert memory_shortages(4 * GIB, {}, "cpu") == []
