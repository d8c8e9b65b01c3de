# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_claims import Claimed, collisions, tight_shares

TWO_GPUS = [{"index": 0, "name": "A"}, {"index": 1, "name": "A"}]


def named(model: str, value: str, what: str = "The directory") -> Claimed:
    return Claimed(model, [{"kind": "name", "what": what, "value": value, "setting": "vllm_project_dir"}])


def port(model: str, address: str, number: Any) -> Claimed:
    return Claimed(model, [{"kind": "port", "address": address, "port": number}])


def gpu(model: str, gpus: list[dict[str, Any]], *arguments: str, release: str = "0.32.0") -> Claimed:
    return Claimed(model, [{"kind": "gpu_memory", "gpus": gpus, "arguments": list(arguments), "release": release}])


@pytest.mark.parametrize("second", ["/opt/vllm", "/opt/vllm/", "/opt//x/../vllm"])
def test_one_name_for_two(second: str) -> None:
    (reason,) = collisions([named("chat", "/opt/vllm"), named("coder", second), named("other", "/opt/other")])
    assert "The directory /opt/vllm belongs to more than one model" in reason and "chat and coder" in reason
    assert "vllm_project_dir of its own" in reason


def test_the_same_name_of_something_else_is_no_collision() -> None:
    assert collisions([named("chat", "chat", "The directory"), named("coder", "chat", "The verification")]) == []


@pytest.mark.parametrize(
    ("first", "second", "collide"),
    [
        (("127.0.0.1", 8000), ("127.0.0.1", "8000"), True),
        (("127.0.0.1", 8000), ("0.0.0.0", 8000), True),
        (("0.0.0.0", 8000), ("10.0.0.5", 8000), True),
        (("127.0.0.1", 8000), ("10.0.0.5", 8000), False),
        (("127.0.0.1", 8000), ("127.0.0.1", 8001), False),
        (("localhost", 8000), ("0.0.0.1", 8000), False),
    ],
)
def test_one_port_for_two(first: tuple[str, Any], second: tuple[str, Any], collide: bool) -> None:
    reasons = collisions([port("chat", *first), port("coder", *second)])
    assert len(reasons) == collide
    assert not collide or ("chat and coder" in reasons[0] and "gpunode_listen_port" in reasons[0])


def test_two_models_with_the_default_share_are_too_much_for_one_gpu() -> None:
    (reason,) = collisions([gpu("chat", TWO_GPUS), gpu("coder", TWO_GPUS, release="0.19.1")])
    assert "GPU 0 is shared by chat (0.92) and coder (0.9), 1.82 of its memory" in reason
    assert "vllm_gpu_memory_utilization" in reason and "vllm_gpus" in reason


def test_each_gpu_is_counted_by_itself() -> None:
    models = [gpu("chat", TWO_GPUS[:1]), gpu("coder", TWO_GPUS[1:])]
    assert collisions(models) == [] and tight_shares(models) == []


def test_a_model_on_both_gpus_meets_one_on_the_second() -> None:
    both = gpu("large", TWO_GPUS, "--tensor-parallel-size", "2", "--gpu-memory-utilization", "0.7")
    (reason,) = collisions([both, gpu("small", TWO_GPUS[1:], "--gpu-memory-utilization=0.4")])
    assert reason.startswith("GPU 1 is shared by large (0.7) and small (0.4), 1.10")


@pytest.mark.parametrize(("second", "stops", "notes"), [("0.35", 0, 0), ("0.4", 0, 1), ("0.41", 1, 0)])
def test_the_borders_of_sharing(second: str, stops: int, notes: int) -> None:
    models = [
        gpu("chat", TWO_GPUS[:1], "--gpu_memory_utilization", "0.6"),
        gpu("coder", TWO_GPUS[:1], "--gpu-memory-utilization", second),
    ]
    assert (len(collisions(models)), len(tight_shares(models))) == (stops, notes)


def test_gpus_without_a_driver_are_told_by_their_place_on_the_bus() -> None:
    slots = [{"index": None, "pci_address": "0000:01:00.0"}, {"index": None, "pci_address": "0000:02:00.0"}]
    assert collisions([gpu("chat", slots[:1]), gpu("coder", slots[1:])]) == []
    (reason,) = collisions([gpu("chat", slots[1:]), gpu("coder", slots[1:])])
    assert "GPU 0000:02:00.0" in reason


def test_a_release_that_is_none_is_told_elsewhere() -> None:
    assert collisions([gpu("chat", TWO_GPUS, release="latest"), gpu("coder", TWO_GPUS)]) == []
