# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_fit import Fit, fit

REFERENCE: dict[str, Any] = lookup_loader.get("toolserve.gpunode.profile").run(["qwen2.5-14b-instruct-awq"], {})[0]


def gpu(memory_mib: int | None = 20475, capability: str | None = "8.9", **fields: Any) -> dict[str, Any]:
    return {
        "name": "NVIDIA RTX 4000 SFF Ada Generation",
        "pci_address": "0000:01:00.0",
        "pci_id": "10de:27b0",
        "kernel_driver": "nvidia",
        "compute_capability": capability,
        "memory_total_bytes": None if memory_mib is None else memory_mib << 20,
        "sources": {"memory_total_bytes": "nvml"},
        **fields,
    }


def judged(*gpus: dict[str, Any], release: str = "0.32.0", image: str = "", **changes: Any) -> Fit:
    extra = changes.pop("extra", {})
    return fit(gpus, {**REFERENCE, **changes}, extra, release, image)


def test_the_reference_node_is_fine() -> None:
    assert judged(gpu()) == Fit([], [])


def test_no_gpu_at_all() -> None:
    found = judged()
    assert len(found.stops) == 1 and "No NVIDIA GPU is on the PCI bus" in found.stops[0]


def test_a_gpu_that_the_image_has_no_kernels_for() -> None:
    v100 = gpu(32768, "7.0", name="Tesla V100")
    changes = {"requirements": {"compute_capability": 7.0}, "context": {"maximum": 4096, "output": 512}}
    (problem,) = judged(v100, **changes).stops
    assert "Tesla V100 has compute capability 7.0, and the image of vLLM 0.32.0 (CUDA 13.0) has kernels for" in problem
    assert "one up to 0.19.1" in problem
    assert judged(v100, release="0.17.1", **changes) == Fit([], [])


def test_an_image_that_was_not_read_is_no_reason_to_stop() -> None:
    found = judged(gpu(32768, "7.0"), image="vllm/vllm-openai:v0.32.0-cu129", requirements={})
    assert found.stops == [] and "as far as is known" in found.notes[0]


def test_a_gpu_that_is_too_old_for_the_weights() -> None:
    (problem, *_image) = judged(gpu(capability="7.0"), release="0.9.2").stops
    assert "has compute capability 7.0, and qwen2.5-14b-instruct-awq needs 7.5" in problem


def test_a_capability_is_compared_as_a_number() -> None:
    assert judged(gpu(97887, "12.0"), requirements={"compute_capability": 8.9}).stops == []


def test_more_gpus_asked_for_than_there_are() -> None:
    (problem,) = judged(gpu(), extra={"tensor-parallel-size": 2}).stops
    assert "asks for 2" in problem


def test_a_second_gpu_that_is_too_old_is_a_note() -> None:
    found = judged(gpu(), gpu(8192, "5.0", name="NVIDIA GTX 960"))
    assert found.stops == [] and "NVIDIA GTX 960 has compute capability 5.0" in found.notes[0]
    assert "name the others in vllm_gpus" in found.notes[0]


def test_an_unknown_gpu_without_a_driver_is_a_note() -> None:
    found = judged(gpu(None, None, name=None, pci_id="10de:ffff"))
    assert found.stops == [] and len(found.notes) == 1
    assert "10de:ffff" in found.notes[0]


def test_a_gpu_that_belongs_to_a_virtual_machine() -> None:
    (problem,) = judged(gpu(kernel_driver="vfio-pci")).stops
    assert "held by vfio-pci" in problem


def test_a_release_that_is_none_is_told_elsewhere() -> None:
    assert judged(gpu(), release="latest") == Fit([], [])
