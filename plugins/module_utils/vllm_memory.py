# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a vLLM server takes of each of its GPUs, before it runs: weights, what it needs besides, and the KV cache.

vLLM measures what it needs besides weights and KV cache when it starts: it processes a prompt of
--max-num-batched-tokens, samples a token for --max-num-seqs requests, and since 0.20 captures CUDA graphs. Here it is
estimated, as a likely and a least figure. docs/sizing.md has the derivation and the logs it was held against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import NVIDIA_SMI, NVML
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import from_profile, kv_dtype_bytes
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import (
    BLOCK_TOKENS,
    GIB,
    KvCache,
    KvPool,
    SizingError,
)

# vLLM's default of --block-size on a CPU, as a server of 0.32.0 says it.
CPU_BLOCK_TOKENS = 128
# vLLM's default of --gpu-memory-utilization: read in the sources of 0.9.2 to 0.19.1, and of 0.20.2 to 0.33.0. The
# second goes with CUDA graphs that count (VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS is 1 there, and 0 or absent before).
_GRAPHS_COUNT: Release = (0, 20, 0)
_UTILIZATION, _UTILIZATION_SINCE_0_20 = 0.9, 0.92
# Defaults of --max-num-batched-tokens and --max-num-seqs by the memory of the GPU: EngineArgs.get_batch_defaults.
_BATCH_SMALL, _BATCH_LARGE, _BATCH_HUGE = (2048, 256), (8192, 1024), (16384, 1024)
_LARGE_BYTES, _HUGE_BYTES = 70 * GIB, 160 * GIB
_HUGE_SINCE: Release = (0, 28, 0)
# A step may be scheduled while another one runs: VllmConfig.max_in_flight_tokens.
_TWO_STEPS_SINCE: Release = (0, 28, 0)
# The sampler's copies of the logits in fp32: sorted in PyTorch, and by the Triton kernel that came after 0.15.1.
_COPIES, _COPIES_WITH_KERNEL, _KERNEL_SINCE = 9.0, 4.5, (0, 17, 0)
# Numbers of 2 bytes for each token of a prompt: three times the hidden and the inner dimension of an MLP. Profiles
# do not tell the latter; it is 2.7 to 5.4 times the former in their models.
_NUMBERS_PER_HIDDEN, _INNER_PER_HIDDEN = 3, 3.5
# CUDA context and libraries: 0.25 to 0.43 GiB in logs. Graphs: 0.36 and 0.42 GiB estimated by vLLM itself.
_CONTEXT, _LEAST_CONTEXT = 0.4 * GIB, 0.25 * GIB
_GRAPHS = 0.4 * GIB
_LEAST_PART = 0.4
_UNKNOWN_ACTIVATIONS = GIB
# Of a checkpoint in MXFP4, which kernels pad: 13.72 of 12.82 GiB (gpt-oss-20b on an A100), 65.97 of 60.77 GiB
# (gpt-oss-120b on an H100, vllm-project/vllm#23278).
_PADDED = {"mxfp4": (1.07, 1.086)}
# What programs see of a card's memory. The driver keeps a part (memory_reserved_bytes of gpu_info), 1.4 to 1.8 per
# cent where it does not say; a card with ECC on GDDR6 has 92 per cent of what it is sold with (T4, A10, L4, L40S).
_UNRESERVED, _USABLE_OF_NOMINAL = 0.983, 0.92


@dataclass(frozen=True)
class GpuMemory:
    """Bytes that programs see of one GPU; ``measured`` tells whether its driver has said so."""

    name: str
    total: float
    likely: float
    most: float
    measured: bool

    @classmethod
    def of(cls, gpu: Mapping[str, Any], said_gib: float | None = None) -> GpuMemory | None:
        """What gpu_info returned, or where no driver told it: the inventory's word, the table's nominal size, None."""
        name = str(gpu.get("name") or f"The GPU {gpu.get('pci_id')}")
        total, reserved = gpu.get("memory_total_bytes"), gpu.get("memory_reserved_bytes")
        if total is not None and (gpu.get("sources") or {}).get("memory_total_bytes") in (NVML, NVIDIA_SMI):
            likely = float(total - reserved) if reserved else total * _UNRESERVED
            return cls(name, total, likely, likely if reserved else total, measured=True)
        if said_gib:
            total = said_gib * GIB
        return None if total is None else cls(name, total, total * _USABLE_OF_NOMINAL, total, measured=False)


@dataclass(frozen=True)
class Need:
    """Bytes on one GPU, whatever the context."""

    weights: float
    besides: float


@dataclass(frozen=True)
class Server:
    """A server of this profile with these options and this environment, which are all that it is started with."""

    profile: Mapping[str, Any]
    release: Release
    options: Mapping[str, Any]
    environment: Mapping[str, Any]

    @property
    def tensor_parallel(self) -> int:
        return self._count("tensor-parallel-size") or 1

    @property
    def pipeline_parallel(self) -> int:
        return self._count("pipeline-parallel-size") or 1

    @property
    def gpus(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def block(self) -> int:
        return self._count("block-size") or BLOCK_TOKENS

    @property
    def utilization(self) -> float:
        """The share of each GPU's memory that it may use."""
        default = _UTILIZATION if self.release < _GRAPHS_COUNT else _UTILIZATION_SINCE_0_20
        try:
            return float(self.options.get("gpu-memory-utilization") or default)
        except (TypeError, ValueError):
            return default

    def batch(self, gpu: GpuMemory) -> tuple[int, int]:
        """max-num-batched-tokens and max-num-seqs."""
        default = _BATCH_SMALL
        if gpu.likely >= _HUGE_BYTES and self.release >= _HUGE_SINCE:
            default = _BATCH_HUGE
        elif gpu.likely >= _LARGE_BYTES and "a100" not in gpu.name.lower():
            default = _BATCH_LARGE
        return (
            self._count("max-num-batched-tokens") or default[0],
            self._count("max-num-seqs") or default[1],
        )

    def kv_cache(self, gpu: GpuMemory | None = None) -> KvCache:
        """On one GPU, as vLLM reserves it for a request. SizingError where the profile does not tell."""
        shape = from_profile(self.profile)
        kept = shape.kv_cache(kv_dtype_bytes(self.options), self.tensor_parallel, self.pipeline_parallel)
        tokens = self.batch(gpu)[0] if gpu else _BATCH_SMALL[0]
        return kept.admitted(tokens * (2 if self.release >= _TWO_STEPS_SINCE else 1), self.block)

    def likely(self, gpu: GpuMemory) -> KvPool:
        """The KV cache that the server will find room for. SizingError where the profile does not tell."""
        return self._pool(gpu.likely, self._need(gpu, least=False))

    def hopeful(self, gpu: GpuMemory) -> KvPool:
        """The same, if the GPU has all the memory that it may have."""
        return self._pool(gpu.most, self._need(gpu, least=False))

    def most(self, gpu: GpuMemory) -> KvPool:
        """What it cannot exceed."""
        return self._pool(gpu.most, self._need(gpu, least=True))

    def _pool(self, memory: float, need: Need) -> KvPool:
        return KvPool(memory, self.utilization, need.weights, need.besides)

    def _need(self, gpu: GpuMemory, *, least: bool) -> Need:
        checkpoint = (self.profile.get("bytes") or {}).get("checkpoint")
        if not checkpoint:
            raise SizingError("the profile does not say how large the weights are")
        model = self.profile.get("model") or {}
        own = ((self.profile.get("vllm") or {}).get("arguments") or {}).get("quantization")
        if self.options.get("quantization") not in (None, own) and not model.get("quantization"):
            raise SizingError("the weights are quantised while they are loaded")
        padded = _PADDED.get(str(model.get("quantization")), (1.0, 1.0))[0 if least else 1]
        offloaded = float(self.options.get("cpu-offload-gb") or 0) * GIB
        activations, graphs = self._activations(gpu), self._graphs()
        return Need(
            max(checkpoint * padded / self.gpus - offloaded, 0),
            _LEAST_CONTEXT + _LEAST_PART * activations if least else _CONTEXT + activations + graphs,
        )

    def _activations(self, gpu: GpuMemory) -> float:
        """The larger of what processing a prompt and what sampling takes: they follow on each other."""
        architecture = self.profile.get("architecture") or {}
        hidden, vocabulary = architecture.get("hidden_size"), architecture.get("vocabulary")
        if not hidden or not vocabulary:
            return _UNKNOWN_ACTIVATIONS
        tokens, requests = self.batch(gpu)
        inner = _INNER_PER_HIDDEN * hidden / self.tensor_parallel
        copies = _COPIES if self.release < _KERNEL_SINCE else _COPIES_WITH_KERNEL
        return float(
            max(
                tokens * 2 * _NUMBERS_PER_HIDDEN * (hidden + inner),
                min(requests, tokens) * vocabulary * 4 * copies,
            )
        )

    def _graphs(self) -> float:
        default = "0" if self.release < _GRAPHS_COUNT else "1"
        counted = str(self.environment.get("VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS", default)) != "0"
        return _GRAPHS if counted and not self.options.get("enforce-eager") else 0.0

    def _count(self, option: str) -> int:
        try:
            return max(int(self.options.get(option) or 0), 0)
        except (TypeError, ValueError):
            return 0
