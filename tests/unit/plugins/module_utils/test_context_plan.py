# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a context a node gets, when it is refused, and that it stays what it is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils.context_plan import AUTO, Asked, Plan, plan


def profile(name: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = lookup_loader.get("toolserve.gpunode.profile").run([name], {})[0]
    return {**found, **changes}


REFERENCE = profile("qwen2.5-14b-instruct-awq")
LLAMA = profile("llama-3.1-8b-instruct")
POCKET = profile("pocket")


def gpu(memory_mib: int | None = 20475, source: str = "nvml", **fields: Any) -> dict[str, Any]:
    return {
        "name": "NVIDIA RTX 4000 SFF Ada Generation",
        "pci_id": "10de:27b0",
        "memory_total_bytes": None if memory_mib is None else memory_mib << 20,
        "sources": {"memory_total_bytes": source},
        **fields,
    }


def planned(
    *gpus: dict[str, Any],
    of: dict[str, Any] = REFERENCE,
    context: str | int = AUTO,
    release: str = "0.32.0",
    accelerator: str = "cuda",
    **asked: Any,
) -> Plan:
    return plan(of, gpus, accelerator, release, Asked(context, **asked))


def served(found: Plan) -> int:
    assert found.stops == []
    return int(found.profile["context"]["maximum"])


class TestAuto:
    def test_what_fits_is_what_the_profile_asks_for(self) -> None:
        found = planned(gpu())
        assert found.profile == REFERENCE and not found.stops and not found.notes
        assert found.kv_cache_tokens is not None and 38_000 < found.kv_cache_tokens < 44_000
        assert found.summary == ["context of 32768 tokens (7.3 GiB of KV cache hold 1.2 requests of that length)"]

    def test_else_what_fits_in_whole_blocks_and_is_told(self) -> None:
        found = planned(gpu(), of=LLAMA)
        assert 12_000 < served(found) < 20_000 and served(found) % 16 == 0
        assert served(found) == found.kv_cache_tokens
        assert "it is served instead of the 32768 that llama-3.1-8b-instruct asks for" in found.notes[0]
        assert "20.0 GiB of memory, of which vLLM may use 92%" in found.notes[0]

    def test_the_answer_leaves_room_for_a_prompt(self) -> None:
        found = planned(gpu(), of=LLAMA)
        context = found.profile["context"]
        assert LLAMA["context"]["output"] == 4096 > context["output"] == served(found) // 4 // 16 * 16
        assert "Clients may ask for" in found.notes[1]
        assert planned(gpu(), of=LLAMA, extra={"kv-cache-dtype": "fp8"}).profile["context"]["output"] == 4096

    def test_a_profile_may_allow_long_answers_in_the_context_that_it_asks_for(self) -> None:
        long = {**REFERENCE, "context": {"maximum": 8192, "output": 4096, "model_limit": 32768}}
        assert planned(gpu(), of=long).profile == long
        assert planned(gpu(), of=long, context=16384).profile["context"]["output"] == 4096

    def test_the_users_profile_stays_as_it_is(self) -> None:
        planned(gpu(), of=LLAMA)
        assert LLAMA["context"] == {"maximum": 32768, "output": 4096, "model_limit": 131072}

    @pytest.mark.parametrize(
        ("option", "value", "longer"),
        [
            ("kv-cache-dtype", "fp8", True),
            ("--kv_cache_dtype", "fp8_e4m3", True),
            ("max-num-seqs", 16, True),
            ("gpu-memory-utilization", 0.97, True),
            ("gpu-memory-utilization", 0.90, False),
            ("max-num-batched-tokens", 16384, False),
            ("enforce-eager", True, True),
        ],
    )
    def test_options_that_change_the_room(self, option: str, value: Any, longer: bool) -> None:
        plain = served(planned(gpu(), of=LLAMA))
        assert (served(planned(gpu(), of=LLAMA, extra={option: value})) > plain) is longer
        name = option.lstrip("-").replace("_", "-")
        assert served(planned(gpu(), of=LLAMA, settings={name: value})) == served(
            planned(gpu(), of=LLAMA, extra={option: value})
        )

    def test_the_user_wins_over_the_role_and_an_empty_setting_says_nothing(self) -> None:
        plain = served(planned(gpu(), of=LLAMA))
        both = {"settings": {"gpu-memory-utilization": 0.5}, "extra": {"gpu-memory-utilization": 0.92}}
        assert served(planned(gpu(), of=LLAMA, **both)) == plain
        assert served(planned(gpu(), of=LLAMA, settings={"gpu-memory-utilization": ""})) == plain

    def test_too_little_for_an_agent_is_refused_with_what_would_help(self) -> None:
        (stop,) = planned(gpu(), of=profile("qwen2.5-32b-instruct-awq")).stops
        assert "there is no room for a context" in stop and "too little for qwen2.5-32b-instruct-awq" in stop
        assert "smaller profile" in stop and "vllm_max_num_seqs" in stop

    def test_a_model_that_was_made_for_little_is_not(self) -> None:
        assert served(planned(gpu(), of=profile("granite-3.0-8b-instruct"))) == 4096

    def test_two_models_on_one_gpu(self) -> None:
        small = profile("qwen2.5-7b-instruct-awq")
        half = planned(gpu(), of=small, settings={"gpu-memory-utilization": 0.45})
        assert 16_000 < served(half) <= 32768
        assert planned(gpu(), settings={"gpu-memory-utilization": 0.45}).stops


class TestNumber:
    def test_one_that_fits_is_served(self) -> None:
        found = planned(gpu(), context="23232")
        assert served(found) == 23232 and not found.notes
        assert "hold 1.7 requests of that length" in found.summary[0]

    def test_more_than_the_profile_asks_for_may_be_said(self) -> None:
        big = planned(gpu(48000), of=LLAMA, context=65536)
        assert served(big) == 65536 and big.profile["context"]["output"] == 4096

    def test_one_that_cannot_fit_is_refused_with_the_one_that_does(self) -> None:
        fits = served(planned(gpu(), of=LLAMA))
        (stop,) = planned(gpu(), of=LLAMA, context=60_000).stops
        assert f"a context of {fits} tokens fits, and vllm_max_model_len is 60000" in stop
        assert f"Set vllm_max_model_len to auto or to at most {fits}" in stop
        assert served(planned(gpu(), of=LLAMA, context=fits)) == fits

    def test_one_that_may_just_fit_is_a_note(self) -> None:
        fits = served(planned(gpu(), of=LLAMA))
        found = planned(gpu(), of=LLAMA, context=fits + 1600)
        assert served(found) == fits + 1600 and "It may just fit" in found.notes[0]

    def test_where_nothing_fits_no_number_is_proposed(self) -> None:
        (stop,) = planned(gpu(), of=profile("qwen2.5-14b-instruct"), context=8192).stops
        assert "no room for a context" in stop and "at most" not in stop

    def test_a_short_one_shortens_the_answer(self) -> None:
        found = planned(gpu(), context=2048)
        assert found.profile["context"] == {"maximum": 2048, "output": 512, "model_limit": 32768}
        assert "Clients may ask for 512" in found.notes[0]

    def test_more_than_the_model_was_made_for_is_refused_unless_it_is_stretched(self) -> None:
        (stop,) = planned(gpu(81559), context=65536).stops
        assert "was made for 32768 tokens" in stop
        yarn = {"hf-overrides": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}}
        assert served(planned(gpu(81559), context=65536, extra=yarn)) == 65536

    @pytest.mark.parametrize("wanted", ["long", 0, 255, -1, "", "12.5"])
    def test_what_is_no_context(self, wanted: str | int) -> None:
        (stop,) = planned(gpu(), context=wanted).stops
        assert f"vllm_max_model_len is {wanted}" in stop and "neither auto" in stop

    @pytest.mark.parametrize("share", ["much", 0, 1.5, -0.5, 95])
    def test_what_is_no_share_of_the_memory(self, share: Any) -> None:
        (stop,) = planned(gpu(), settings={"gpu-memory-utilization": share}).stops
        assert f"gpu-memory-utilization is {share}" in stop
        assert planned(gpu(), settings={"gpu-memory-utilization": "1"}).stops == []

    def test_what_is_no_memory(self) -> None:
        (stop,) = planned(gpu(), gpu_memory_gib="20 GB").stops
        assert "vllm_gpu_memory_gib is 20 GB" in stop


class TestItStaysWhatItIs:
    def test_a_difference_within_what_is_known_changes_nothing(self) -> None:
        fits = served(planned(gpu(), of=LLAMA))
        for rendered in (fits - 640, fits + 640):
            assert served(planned(gpu(), of=LLAMA, rendered=rendered)) == rendered

    @pytest.mark.parametrize(("before", "now"), [(0.92, 0.90), (0.90, 0.92), (0.91, 0.90), (0.90, 0.91)])
    def test_an_option_is_obeyed_at_once(self, before: float, now: float) -> None:
        for card in (gpu(), gpu(23034)):
            rendered = served(planned(card, of=LLAMA, settings={"gpu-memory-utilization": before}))
            fits = served(planned(card, of=LLAMA, settings={"gpu-memory-utilization": now}))
            again = planned(card, of=LLAMA, settings={"gpu-memory-utilization": now}, rendered=rendered)
            assert served(again) == fits != rendered

    def test_a_driver_that_cannot_be_asked_changes_nothing(self) -> None:
        fits = served(planned(gpu(), of=LLAMA))
        nominal = gpu(20480, "table")
        assert served(planned(nominal, of=LLAMA)) != fits
        assert served(planned(nominal, of=LLAMA, rendered=fits)) == fits

    @pytest.mark.parametrize("rendered", [1024, 8192, 20000, 131072])
    def test_a_larger_one_does(self, rendered: int) -> None:
        assert served(planned(gpu(), of=LLAMA, rendered=rendered)) == served(planned(gpu(), of=LLAMA))

    def test_a_profile_that_asks_for_something_else_is_obeyed(self) -> None:
        less = profile("llama-3.1-8b-instruct", context={"maximum": 12000, "output": 1024, "model_limit": 131072})
        assert served(planned(gpu(), of=less, rendered=12800)) == 12000
        assert served(planned(gpu(), rendered=32000)) == 32768
        fits = served(planned(gpu(), of=LLAMA))
        hardly = {**LLAMA, "context": {**LLAMA["context"], "maximum": fits + 160}}
        assert served(planned(gpu(), of=hardly, rendered=fits + 1600)) == fits

    def test_a_number_is_obeyed(self) -> None:
        assert served(planned(gpu(), context=20000, rendered=20016)) == 20000

    def test_free_memory_does_not_count(self) -> None:
        busy = gpu(memory_free_bytes=1 << 30, memory_used_bytes=19 << 30)
        assert planned(busy, of=LLAMA) == planned(gpu(), of=LLAMA)


class TestMemory:
    def test_nominal_memory_makes_an_estimate(self) -> None:
        found = planned(gpu(20480, "table"))
        assert "estimate: " in found.summary[0] and not found.stops
        short = planned(gpu(20480, "table"), of=LLAMA)
        assert "nominally 20.0 GiB" in short.notes[0] and "until the driver tells" in short.notes[0]

    def test_what_might_fit_once_the_driver_tells_is_not_refused(self) -> None:
        tight = profile("qwen2.5-32b-instruct-awq")
        assert planned(gpu(21800, "table"), of=tight).stops
        found = planned(gpu(24576, "table"), of=tight)
        assert served(found) == 4096

    def test_the_word_of_the_inventory_stands_in(self) -> None:
        unknown = gpu(None, name=None, pci_id="10de:ffff", sources={})
        found = planned(unknown)
        assert found.profile == REFERENCE and found.summary == []
        assert "10de:ffff" in found.notes[0] and "vllm_gpu_memory_gib" in found.notes[0]
        assert "10.0 GiB" in planned(unknown, gpu_memory_gib=10).stops[0]
        assert "estimate" in planned(unknown, gpu_memory_gib=24).summary[0]

    def test_the_driver_knows_better(self) -> None:
        found = planned(gpu(), gpu_memory_gib=48)
        assert "vllm_gpu_memory_gib is 48" in found.notes[0] and "20.0 GiB" in found.notes[0]
        assert planned(gpu(), gpu_memory_gib=20).notes == []

    def test_several_gpus_share_weights_and_kv_cache(self) -> None:
        two = {"settings": {"tensor-parallel-size": 2}}
        assert planned(gpu(), of=profile("qwen2.5-14b-instruct")).stops
        found = planned(gpu(), gpu(), of=profile("qwen2.5-14b-instruct"), **two)
        assert 5_000 < served(found) < 32768
        assert "2 x NVIDIA RTX 4000 SFF Ada Generation, each with" in found.notes[0]

    def test_the_smallest_that_serves_decides(self) -> None:
        two = {"settings": {"tensor-parallel-size": 2}}
        assert planned(gpu(48000), gpu(10240), of=LLAMA, **two) == planned(gpu(10240), gpu(10240), of=LLAMA, **two)
        assert planned(gpu(48000), gpu(10240), of=LLAMA).profile == LLAMA

    def test_no_gpu_and_no_release_are_told_elsewhere(self) -> None:
        assert planned() == Plan(REFERENCE)
        assert planned(gpu(), release="latest") == Plan(REFERENCE)

    def test_a_profile_that_says_nothing_of_its_size(self) -> None:
        bare = profile("qwen2.5-14b-instruct-awq", architecture={}, bytes={}, requirements={})
        assert planned(gpu(2048), of=bare) == Plan(bare)
        (stop,) = planned(gpu(2048), of={**bare, "requirements": {"gpu_memory_gib": 13}}).stops
        assert "needs a GPU with 13" in stop
        assert planned(gpu(12500), of={**bare, "requirements": {"gpu_memory_gib": 13}}).stops == []

    def test_weights_that_are_quantised_on_the_way(self) -> None:
        found = planned(gpu(), of=LLAMA, extra={"quantization": "fp8"})
        assert served(found) == 32768 and "quantised while they are loaded" in found.notes[0]


class TestCpu:
    def test_without_a_word_on_its_size_the_profile_decides(self) -> None:
        assert planned(of=POCKET, accelerator="cpu") == Plan(POCKET)
        assert planned(of=LLAMA, accelerator="cpu") == Plan(LLAMA)

    def test_a_number(self) -> None:
        found = planned(of=POCKET, accelerator="cpu", context=1024)
        assert found.profile["context"] == {"maximum": 1024, "output": 256}

    def test_the_space_of_the_kv_cache(self) -> None:
        space = {"VLLM_CPU_KVCACHE_SPACE": "2"}
        found = planned(of=LLAMA, accelerator="cpu", environment=space)
        assert served(found) == 16384 and "VLLM_CPU_KVCACHE_SPACE gives the KV cache 2.0 GiB" in found.notes[0]
        assert served(planned(of=LLAMA, accelerator="cpu", environment={"VLLM_CPU_KVCACHE_SPACE": "4"})) == 32768
        (stop,) = planned(of=LLAMA, accelerator="cpu", environment=space, context=20000).stops
        assert "at most 16384" in stop and "raise VLLM_CPU_KVCACHE_SPACE" in stop
