# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import gpu_choice as choice
from ansible_collections.toolserve.gpunode.plugins.module_utils import parallelism


def gpu_choice(gpus: Sequence[Mapping[str, Any]], wanted: Any = choice.ALL, nodes: int = 1) -> dict[str, Any]:
    chosen = choice.choose(gpus, wanted)
    return {**chosen.as_dict(), "cdi_devices": choice.cdi_devices(chosen.names), "together": list(chosen.gpus) * nodes}


def vllm_parallelism(
    profile: Mapping[str, Any],
    release: str,
    extra: Mapping[str, Any] | None = None,
    gpus: Sequence[Mapping[str, Any]] = (),
    tensor_parallel: Any = parallelism.AUTO,
    max_num_seqs: Any = "",
    max_num_batched_tokens: Any = "",
    nodes: int = 1,
) -> dict[str, Any]:
    wish = parallelism.Wish(tensor_parallel, max_num_seqs, max_num_batched_tokens, nodes)
    return parallelism.plan(profile, release, extra or {}, gpus, wish).as_dict()


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"gpu_choice": gpu_choice, "vllm_parallelism": vllm_parallelism}
