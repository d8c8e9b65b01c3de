# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.parallelism import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_choice import alike, cdi_devices, choose

UUID = "GPU-8f6d1c2e-0b1a-4c3d-9e5f-00000000000{}"


def gpu(index: int | None, **fields: Any) -> dict[str, Any]:
    known = index if index is not None else fields.pop("place")
    return {
        "index": index,
        "uuid": None if index is None else UUID.format(known),
        "name": "NVIDIA H100 80GB HBM3",
        "pci_address": f"0000:0{known}:00.0",
        "memory_total_bytes": 80 << 30,
        "mig_mode": False,
        **fields,
    }


FOUR = [gpu(index) for index in range(4)]


def test_all_is_what_there_is() -> None:
    found = choose(FOUR, "all")
    assert (found.names, found.gpus, found.stops, found.notes) == (["all"], FOUR, [], [])


def test_all_are_those_that_a_container_can_see() -> None:
    lent = gpu(1, kernel_driver="vfio-pci")
    assert choose([FOUR[0], lent], "all").gpus == FOUR[:1]
    assert choose([lent], "all").gpus == [lent]


def test_an_index_and_a_uuid_name_their_gpus_in_the_order_of_the_list() -> None:
    found = choose(FOUR, [2, UUID.format(0)])
    assert found.names == ["2", UUID.format(0)]
    assert [one["index"] for one in found.gpus] == [2, 0] and not found.stops + found.notes


def test_containers_get_them_by_the_same_names_through_cdi() -> None:
    assert cdi_devices(["all"]) == ["nvidia.com/gpu=all"]
    assert cdi_devices(["1", UUID.format(3)]) == ["nvidia.com/gpu=1", f"nvidia.com/gpu={UUID.format(3)}"]


@pytest.mark.parametrize("wanted", [[4], ["0", "7"], [UUID.format(9)]])
def test_one_that_is_not_there_is_refused_with_those_that_are(wanted: list[Any]) -> None:
    (stop,) = choose(FOUR, wanted).stops
    assert f"vllm_gpus names {wanted[-1]}, and this node has no such GPU" in stop
    assert f"3 NVIDIA H100 80GB HBM3 ({UUID.format(3)})" in stop


def test_one_may_not_be_named_twice() -> None:
    (stop,) = choose(FOUR, [1, UUID.format(1)]).stops
    assert "twice" in stop


@pytest.mark.parametrize("wanted", ["0", 0, {"gpu": 1}, None, ""])
def test_what_is_no_list_is_refused(wanted: Any) -> None:
    (stop,) = choose(FOUR, wanted).stops
    assert "neither all nor a list" in stop


def test_an_empty_list_leaves_no_gpu() -> None:
    (stop,) = choose(FOUR, []).stops
    assert "empty list" in stop


@pytest.mark.parametrize("name", ["GPU-8f6d", "gpu0", "-1", "0,1", "0000:01:00.0", UUID.format(0) + "\n'"])
def test_a_name_is_an_index_or_a_whole_uuid(name: str) -> None:
    (stop,) = choose(FOUR, [name]).stops
    assert "neither the index nor the whole UUID" in stop


def test_slices_of_a_gpu_are_refused() -> None:
    (by_name,) = choose(FOUR, ["MIG-8f6d1c2e-0b1a-4c3d-9e5f-000000000000"]).stops
    assert "Slices of a GPU (MIG) are not served" in by_name
    sliced = [gpu(0, mig_mode=True), gpu(1)]
    (by_mode,) = choose(sliced, "all").stops
    assert "MIG is on for 0 NVIDIA H100" in by_mode
    assert not choose(sliced, [1]).stops


def test_mixed_gpus_are_told_and_the_choice_can_leave_one_out() -> None:
    mixed = [gpu(0), gpu(1), gpu(2, name="NVIDIA T1000", memory_total_bytes=8 << 30)]
    (note,) = choose(mixed, "all").notes
    assert "not alike" in note and "NVIDIA T1000" in note
    assert not choose(mixed, [0, 1]).notes


def test_the_same_card_with_less_memory_is_another() -> None:
    assert not alike([gpu(0), gpu(1, memory_total_bytes=40 << 30)])
    assert alike([]) and alike([gpu(0)])


class TestBeforeTheDriver:
    bare: ClassVar = [gpu(None, place=place) for place in (3, 1)]

    def test_the_number_is_checked(self) -> None:
        (stop,) = choose(self.bare, [0, 2]).stops
        assert "vllm_gpus names 2, and this node has 2 NVIDIA GPU" in stop
        assert choose(self.bare, [UUID.format(0), UUID.format(1), UUID.format(2)]).stops

    def test_an_index_counts_the_addresses(self) -> None:
        assert [one["pci_address"] for one in choose(self.bare, [1]).gpus] == ["0000:03:00.0"]

    def test_uuids_are_taken_on_trust(self) -> None:
        found = choose(self.bare, [UUID.format(5), 0])
        assert len(found.gpus) == 2 and not found.stops
        assert "cannot be checked before the driver" in found.notes[0]


def test_without_any_gpu_the_choice_is_silent() -> None:
    found = choose([], [0])
    assert (found.gpus, found.stops) == ([], [])


def test_the_filter_gives_both_kinds_of_names() -> None:
    found = FilterModule().filters()["gpu_choice"](FOUR, [0])
    assert found["names"] == ["0"] and found["cdi_devices"] == ["nvidia.com/gpu=0"] and found["gpus"] == FOUR[:1]
