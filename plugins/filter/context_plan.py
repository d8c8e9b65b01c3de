# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import context_plan


def plan(
    profile: Mapping[str, Any],
    gpus: Sequence[Mapping[str, Any]],
    accelerator: str = "cuda",
    release: str = "",
    context: str | int = context_plan.AUTO,
    settings: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    gpu_memory_gib: float | str = "",
    rendered: int | str = 0,
) -> dict[str, Any]:
    asked = context_plan.Asked(
        context=context,
        settings=settings or {},
        extra=extra or {},
        environment=environment or {},
        gpu_memory_gib=gpu_memory_gib,
        rendered=int(rendered or 0),
    )
    return context_plan.plan(profile, gpus, accelerator, str(release), asked).as_dict()


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"context_plan": plan}
