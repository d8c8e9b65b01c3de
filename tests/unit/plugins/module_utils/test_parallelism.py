# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.parallelism import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.parallelism import Plan, Wish, plan, possible

from tests.profiles import reading

GPT_OSS = reading.read("gpt-oss-120b")  # 64 heads, 8 KV heads
QWEN_14B = reading.read("qwen2.5-14b-instruct")  # 40 and 8
QWEN_7B = reading.read("qwen2.5-7b-instruct")  # 28 and 4
QWEN_14B_AWQ = reading.read("qwen2.5-14b-instruct-awq")


def gpus(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": "NVIDIA H100", "memory_total_bytes": 80 << 30, "index": index, **fields} for index in range(count)]


def planned(
    profile: dict[str, Any], count: int = 1, extra: dict[str, Any] | None = None, release: str = "0.32.0", **wish: Any
) -> Plan:
    return plan(profile, release, extra or {}, gpus(count), Wish(**wish))


class TestTensorParallel:
    @pytest.mark.parametrize("count", [2, 4, 8])
    def test_auto_takes_every_gpu(self, count: int) -> None:
        found = planned(GPT_OSS, count)
        assert found == Plan(count, {"tensor-parallel-size": count}, [], [])

    @pytest.mark.parametrize("count", [0, 1])
    def test_on_one_gpu_nothing_is_said(self, count: int) -> None:
        assert planned(GPT_OSS, count) == Plan(1, {}, [], [])

    @pytest.mark.parametrize(("profile", "count", "used"), [(GPT_OSS, 3, 2), (QWEN_14B, 5, 4), (QWEN_7B, 8, 4)])
    def test_auto_takes_the_most_among_which_the_heads_can_be_divided(
        self, profile: dict[str, Any], count: int, used: int
    ) -> None:
        found = planned(profile, count)
        assert found.tensor_parallel == used and not found.stops
        assert f"works on {used} of the {count} GPUs" in found.notes[0] and "attention heads" in found.notes[0]

    def test_weights_in_groups_are_not_cut_into_more_than_four_by_itself(self) -> None:
        found = planned(QWEN_14B_AWQ, 8)
        assert found.tensor_parallel == 4 and "quantised weights may not be cut into 8 parts" in found.notes[0]
        assert planned(QWEN_14B_AWQ, 8, tensor_parallel=8) == Plan(8, {"tensor-parallel-size": 8}, [], [])

    def test_gpus_that_are_not_alike_are_not_combined_by_itself(self) -> None:
        mixed = [*gpus(1), *gpus(1, name="NVIDIA L4")]
        found = plan(GPT_OSS, "0.32.0", {}, mixed, Wish())
        assert found.arguments == {} and "works on one of the 2 GPUs" in found.notes[0]
        assert plan(GPT_OSS, "0.32.0", {}, mixed, Wish(tensor_parallel=2)).arguments == {"tensor-parallel-size": 2}

    @pytest.mark.parametrize(("profile", "size"), [(GPT_OSS, 3), (QWEN_14B, 5), (QWEN_7B, 7), (QWEN_7B, 8)])
    def test_a_size_that_does_not_divide_the_heads_is_refused(self, profile: dict[str, Any], size: int) -> None:
        (stop,) = planned(profile, 8, tensor_parallel=size).stops
        assert f"The tensor parallel size is {size}" in stop and "Set vllm_tensor_parallel_size to 1 or 2" in stop

    def test_kv_heads_are_repeated_where_there_are_fewer_than_gpus(self) -> None:
        assert possible(GPT_OSS, 16) and possible({"architecture": {"attention_heads": 48, "kv_heads": 1}}, 8)
        assert not possible({"architecture": {"attention_heads": 48, "kv_heads": 8}}, 12)

    def test_a_profile_that_does_not_tell_its_heads_is_taken_on_trust(self) -> None:
        assert planned({"vllm": {}}, 3).tensor_parallel == 3

    def test_stages_of_a_pipeline_take_gpus_too(self) -> None:
        found = planned(GPT_OSS, 4, {"pipeline_parallel_size": 2})
        assert found.arguments == {"tensor-parallel-size": 2} and not found.notes

    def test_nodes_are_stages_of_a_pipeline(self) -> None:
        found = planned(GPT_OSS, 8, nodes=2)
        assert found.arguments == {"pipeline-parallel-size": 2, "tensor-parallel-size": 8}

    def test_the_profile_decides_before_auto(self) -> None:
        profile = {**GPT_OSS, "vllm": {"arguments": {"tensor-parallel-size": 2}}}
        assert planned(profile, 4) == Plan(2, {}, [], [])
        assert planned(profile, 4, tensor_parallel=4).arguments == {"tensor-parallel-size": 4}

    def test_what_a_profile_says_for_some_releases_counts_there(self) -> None:
        later = {"since": "0.30.0", "why": "x", "arguments": {"tensor-parallel-size": 2}}
        profile = {**GPT_OSS, "vllm": {"arguments": {}, "by_release": [later]}}
        assert planned(profile, 4).tensor_parallel == 2
        assert planned(profile, 4, release="0.20.2").tensor_parallel == 4
        assert planned(profile, 4, release="latest").tensor_parallel == 4

    @pytest.mark.parametrize("name", ["tensor-parallel-size", "--tensor_parallel_size"])
    def test_an_extra_argument_wins(self, name: str) -> None:
        assert planned(GPT_OSS, 4, {name: 2}, tensor_parallel=4).tensor_parallel == 2
        assert planned(GPT_OSS, 4, {name: 2}) == Plan(2, {}, [], [])

    def test_an_extra_argument_is_checked_too(self) -> None:
        assert "cannot be divided" in planned(GPT_OSS, 4, {"tensor-parallel-size": 3}).stops[0]

    def test_one_that_is_taken_away_is_vllms_default(self) -> None:
        assert planned(GPT_OSS, 4, {"tensor-parallel-size": None}) == Plan(1, {}, [], [])

    @pytest.mark.parametrize("size", ["two", 0, -1, 1.5, True])
    def test_a_size_is_a_whole_number(self, size: Any) -> None:
        (stop,) = planned(GPT_OSS, 2, tensor_parallel=size).stops
        assert f"vllm_tensor_parallel_size is {size!r}, which is no whole number from 1 on" in stop


class TestBatches:
    def test_both_are_rendered(self) -> None:
        found = planned(GPT_OSS, sequences="128", batched_tokens=10240)
        assert found == Plan(1, {"max-num-seqs": 128, "max-num-batched-tokens": 10240}, [], [])

    def test_a_batch_holds_a_token_of_each_request(self) -> None:
        (stop,) = planned(GPT_OSS, sequences=512, batched_tokens=256).stops
        assert "max-num-batched-tokens is 256 and max-num-seqs 512" in stop
        assert not planned(GPT_OSS, sequences=256, batched_tokens=256).stops

    def test_the_other_may_come_from_the_profile_or_the_extra_arguments(self) -> None:
        pocket = reading.read("pocket")  # max-num-seqs 8
        assert planned(pocket, batched_tokens=4).stops and not planned(pocket, batched_tokens=8).stops
        assert planned(GPT_OSS, extra={"max_num_seqs": 512}, batched_tokens=256).stops

    def test_without_chunked_prefill_a_batch_holds_a_prompt(self) -> None:
        off = {"enable-chunked-prefill": False}
        (stop,) = planned(QWEN_14B, extra=off, batched_tokens=8192).stops
        assert "Raise vllm_max_num_batched_tokens to 32768" in stop
        assert not planned(QWEN_14B, extra=off, batched_tokens=32768).stops
        assert not planned(QWEN_14B, batched_tokens=8192).stops

    @pytest.mark.parametrize("setting", ["sequences", "batched_tokens"])
    def test_what_is_no_number_is_refused(self, setting: str) -> None:
        (stop,) = planned(GPT_OSS, **{setting: "many"}).stops
        assert "'many', which is no whole number" in stop


def test_the_filter_takes_what_the_role_has() -> None:
    found = FilterModule().filters()["vllm_parallelism"](GPT_OSS, "0.32.0", None, gpus(2), max_num_seqs=64)
    assert found == {
        "tensor_parallel": 2,
        "arguments": {"tensor-parallel-size": 2, "max-num-seqs": 64},
        "stops": [],
        "notes": [],
    }
