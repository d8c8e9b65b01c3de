# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server takes of a GPU: held against what real servers have logged, and the options that change it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB, SizingError
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_memory import GpuMemory, Server


def profile(name: str) -> dict[str, Any]:
    found: dict[str, Any] = lookup_loader.get("toolserve.gpunode.profile").run([name], {})[0]
    return found


REFERENCE = profile("qwen2.5-14b-instruct-awq")


def gpu(gib: float, name: str = "a GPU") -> GpuMemory:
    return GpuMemory(name, gib * GIB, gib * GIB, gib * GIB, measured=True)


def server(
    release: tuple[int, int, int] = (0, 32, 0),
    of: dict[str, Any] = REFERENCE,
    environment: dict[str, str] | None = None,
    **options: Any,
) -> Server:
    return Server(of, release, {key.replace("_", "-"): value for key, value in options.items()}, environment or {})


def test_gpt_oss_120b_on_an_h100_as_it_was_logged() -> None:
    """vllm-project/vllm#23278 (0.10.1): weights of 65.97 GiB, and -2.14 GiB for the KV cache at 90 % of 79.1 GiB."""
    pool = server((0, 10, 1), profile("gpt-oss-120b")).likely(gpu(79.1, "NVIDIA H100 80GB HBM3"))
    assert pool.weights / GIB == pytest.approx(65.97, rel=0.002)
    assert pool.bytes == 0
    assert (pool.memory * pool.utilization - pool.weights - pool.overhead) / GIB == pytest.approx(-2.14, abs=0.2)


def test_a_prompt_of_20000_tokens_as_it_was_logged() -> None:
    """vllm-project/vllm#10517: Llama 3.1 8B on an RTX 3090, 2.07 GiB at 20,000 tokens and 2.99 at 29,000."""
    llama, card = profile("llama-3.1-8b-instruct"), gpu(23.58)
    by_tokens = [
        server(of=llama, max_num_batched_tokens=tokens, max_num_seqs=1, enforce_eager=True).likely(card).overhead
        for tokens in (20_000, 29_000)
    ]
    assert (by_tokens[1] - by_tokens[0]) / GIB == pytest.approx(0.92, rel=0.05)
    assert by_tokens[0] / GIB - 0.4 == pytest.approx(2.07, rel=0.05)


def test_what_the_reference_node_has_for_its_kv_cache() -> None:
    """0.6 to 1.5 GiB besides weights and KV cache were computed by hand."""
    for release in ((0, 9, 2), (0, 20, 2), (0, 32, 0)):
        assert 0.9 <= server(release).likely(gpu(19.67)).overhead / GIB <= 1.9
        assert 0.4 <= server(release).most(gpu(19.67)).overhead / GIB <= 1.0
        assert server(release).most(gpu(19.67)).bytes > server(release).likely(gpu(19.67)).bytes


@pytest.mark.parametrize(("release", "share"), [((0, 19, 1), 0.90), ((0, 20, 2), 0.92), ((0, 33, 0), 0.92)])
def test_the_share_of_the_memory_that_a_release_takes(release: tuple[int, int, int], share: float) -> None:
    assert server(release).utilization == share
    assert server(release, gpu_memory_utilization="0.5").utilization == 0.5


def test_graphs_count_since_0_20() -> None:
    def graphs(release: tuple[int, int, int], **more: Any) -> float:
        eager = server(release, enforce_eager=True).likely(gpu(20)).overhead
        return (server(release, **more).likely(gpu(20)).overhead - eager) / GIB

    assert graphs((0, 19, 1)) == 0
    assert graphs((0, 20, 2)) == pytest.approx(0.4)
    assert graphs((0, 20, 2), environment={"VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "0"}) == 0


@pytest.mark.parametrize(
    ("gib", "name", "release", "batch"),
    [
        (19.67, "NVIDIA RTX 4000 SFF Ada Generation", (0, 32, 0), (2048, 256)),
        (79.1, "NVIDIA H100 80GB HBM3", (0, 9, 2), (8192, 1024)),
        (79.1, "NVIDIA A100-SXM4-80GB", (0, 32, 0), (2048, 256)),
        (178.0, "NVIDIA B200", (0, 20, 2), (8192, 1024)),
        (178.0, "NVIDIA B200", (0, 32, 0), (16384, 1024)),
    ],
)
def test_defaults_of_the_batch(gib: float, name: str, release: tuple[int, int, int], batch: tuple[int, int]) -> None:
    assert server(release).batch(gpu(gib, name)) == batch
    assert server(release, max_num_batched_tokens="512", max_num_seqs=8).batch(gpu(gib, name)) == (512, 8)


def test_no_more_requests_are_sampled_than_tokens_are_processed() -> None:
    few = server(max_num_batched_tokens=64, enforce_eager=True).likely(gpu(20)).overhead
    assert few == server(max_num_batched_tokens=64, max_num_seqs=64, enforce_eager=True).likely(gpu(20)).overhead


def test_several_gpus_share_the_weights_and_each_has_its_own_overhead() -> None:
    one, two = server().likely(gpu(20)), server(tensor_parallel_size=2).likely(gpu(20))
    assert two.weights == one.weights / 2
    assert server(tensor_parallel_size=2).kv_cache().bytes_per_token == server().kv_cache().bytes_per_token / 2
    assert two.overhead == pytest.approx(one.overhead, rel=0.2)


def test_a_window_is_reserved_with_what_is_in_flight() -> None:
    small = profile("gpt-oss-20b")
    assert server((0, 11, 2), small).kv_cache(gpu(20)).window == 2192
    assert server((0, 32, 0), small).kv_cache(gpu(20)).window == 4240  # two steps at a time


def test_options_that_change_the_weights() -> None:
    assert server(cpu_offload_gb=4).likely(gpu(20)).weights == server().likely(gpu(20)).weights - 4 * GIB
    with pytest.raises(SizingError, match="quantised while"):
        server(of=profile("llama-3.1-8b-instruct"), quantization="fp8").likely(gpu(20))
    assert server(quantization="awq_marlin").likely(gpu(20)).weights == server().likely(gpu(20)).weights
    large = profile("jamba-1.5-large")
    assert server(of=large, **large["vllm"]["arguments"]).likely(gpu(79)).weights > 0
    with pytest.raises(SizingError, match="how large"):
        server(of={**REFERENCE, "bytes": {}}).likely(gpu(20))


def test_an_option_that_is_no_number_is_left_to_the_check_of_options() -> None:
    assert server(gpu_memory_utilization="much").utilization == 0.92
    assert server(max_num_seqs="many").batch(gpu(20)) == (2048, 256)


def read(total: float, source: str, reserved: int | None = None) -> dict[str, Any]:
    return {
        "name": "a GPU",
        "memory_total_bytes": int(total * GIB),
        "memory_reserved_bytes": reserved,
        "sources": {"memory_total_bytes": source},
    }


def test_what_programs_see_of_a_card() -> None:
    told = GpuMemory.of(read(79.65, "nvml", 551 << 20))
    assert told and told.measured and told.likely == told.most
    assert told.likely / GIB == pytest.approx(79.11, abs=0.01)  # as PyTorch says on an H100
    without = GpuMemory.of(read(23.988, "nvidia-smi"))
    assert without and without.measured and without.likely / GIB == pytest.approx(23.58, abs=0.01)  # on an RTX 3090
    nominal = GpuMemory.of(read(24, "table"))
    assert nominal and not nominal.measured and nominal.most == 24 * GIB
    assert nominal.likely / GIB == pytest.approx(22.1, abs=0.1)  # as on an L4


def test_the_word_of_the_inventory_counts_where_no_driver_tells() -> None:
    unknown = {"pci_id": "10de:ffff", "memory_total_bytes": None, "sources": {}}
    said = GpuMemory.of(unknown, 48)
    assert GpuMemory.of(unknown) is None
    assert said and said.total == 48 * GIB and not said.measured
    assert (GpuMemory.of(read(24, "table"), 48) or said).total == 48 * GIB
    told = GpuMemory.of(read(20, "nvml"), 48)
    assert told and told.total == 20 * GIB
