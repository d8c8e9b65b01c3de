# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving_gpus import serving, uses_gpu

GIB = 2**30


def gpu(index: int, *processes: int, peak: int | None = 280 * 10**9) -> dict[str, Any]:
    return {
        "index": index,
        "uuid": f"GPU-{index}f6f2f3f",
        "name": None,
        "peak_bandwidth_bytes_per_second": peak,
        "peak_bandwidth_basis": "2 x 7001 MHz x 160 bit / 8",
        "processes": [{"pid": pid, "memory_bytes": 9 * GIB} for pid in processes],
    }


def given(
    driver: str = "nvidia", *, ids: list[str] | None = None, count: int = 0, **environment: str
) -> dict[str, Any]:
    """A container as docker inspect shows it."""
    requests = [{"Driver": driver, "Count": count, "DeviceIDs": ids, "Capabilities": [["gpu"]]}]
    return with_environment(**environment) | {"HostConfig": {"DeviceRequests": requests}}


def with_environment(**environment: str) -> dict[str, Any]:
    return {"Config": {"Env": [f"{name}={value}" for name, value in environment.items()]}}


IDLE = [gpu(0), gpu(1), gpu(2), gpu(3)]
BUSY_TWO = [gpu(0), gpu(1), gpu(2, 42), gpu(3)]


@pytest.mark.parametrize(
    ("gpus", "count", "container", "expected", "words"),
    [
        (IDLE[:1], 1, {}, [0], "all that there are"),
        (IDLE, 1, {}, [0], "the first of several"),
        (IDLE, 2, given(count=-1), [0, 1], "the first of several"),
        (IDLE, 1, given(ids=["2"]), [2], "given to the container"),
        (IDLE, 2, given(ids=["3", "1"]), [3, 1], "given to the container"),
        (IDLE, 1, given(ids=["GPU-1f6f"]), [1], "given to the container"),
        (IDLE, 1, given("cdi", ids=["nvidia.com/gpu=3"]), [3], "given to the container"),
        (IDLE, 1, given("cdi", ids=["nvidia.com/gpu=all"]), [0], "the first of several"),
        (IDLE, 1, given(count=1), [0], "given to the container"),
        (IDLE, 1, with_environment(NVIDIA_VISIBLE_DEVICES="2"), [2], "given to the container"),
        (IDLE, 1, with_environment(NVIDIA_VISIBLE_DEVICES="all"), [0], "the first of several"),
        (IDLE, 1, with_environment(NVIDIA_VISIBLE_DEVICES="void"), [0], "the first of several"),
        # Inside the container it counts anew.
        (IDLE, 1, given(ids=["2", "3"], CUDA_VISIBLE_DEVICES="1"), [3], "given to the container"),
        (IDLE, 1, given(count=-1, CUDA_VISIBLE_DEVICES="3"), [3], "given to the container"),
        (BUSY_TWO, 1, {}, [2], "with the processes that work"),
        (BUSY_TWO, 1, given(count=-1), [2], "with the processes that work"),
        # Another server's GPU is not among those given.
        (BUSY_TWO, 1, given(ids=["1", "3"]), [1], "the first of several"),
        ([gpu(0, 7), gpu(1, 8)], 1, {}, [0], "the first of several"),
        ([gpu(0, 7), gpu(1, 8)], 2, {}, [0, 1], "all that there are"),
        (IDLE, 1, given(ids=["MIG-1"]), [0], "the first of several"),
        ([], 1, given(ids=["0"]), [], "all that there are"),
    ],
)
def test_which_gpus_do_the_work(
    gpus: list[dict[str, Any]], count: int, container: dict[str, Any], expected: list[int], words: str
) -> None:
    found = serving(gpus, count, container)
    assert ([one["index"] for one in found.gpus], found.told_by) == (expected, words)


def test_bandwidths_add_up_and_say_whose_they_are() -> None:
    found = serving([gpu(0), gpu(1)], 2, {})
    assert found.bandwidth == 560e9
    assert found.bandwidth_source == "2 x 7001 MHz x 160 bit / 8; GPU 0, GPU 1, all that there are"


def test_one_that_is_not_known_leaves_none() -> None:
    assert serving([gpu(0), gpu(1, peak=None)], 2, {}).bandwidth == 0
    assert serving([gpu(0), gpu(1, peak=None)], 1, {}).bandwidth == 280e9


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (given(count=-1), True),
        (given("cdi", ids=["nvidia.com/gpu=0"]), True),
        (given("", count=1), True),  # docker run --gpus
        ({"HostConfig": {"Runtime": "nvidia"}}, True),
        ({"HostConfig": {"Runtime": "runc", "DeviceRequests": None}}, False),
        ({}, False),
    ],
)
def test_whether_a_container_was_given_a_gpu(container: dict[str, Any], expected: bool) -> None:
    assert uses_gpu(container) is expected
