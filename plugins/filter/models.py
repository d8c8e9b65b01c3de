# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    cuda_requirement,
    leftover_models,
    model_reasons,
    several_models,
)


def driver_for_models(models: Sequence[Mapping[str, Any]], release: str, image: str = "") -> str:
    settings = [model["settings"] for model in models]
    images = [(str(one.get("vllm_release", release)), str(one.get("vllm_image", image))) for one in settings]
    return cuda_requirement.minimum_driver_of_all(images)


def each_model(
    models: Any,
    said: Mapping[str, Any],
    defaults: Mapping[str, Any],
    only: str | Sequence[str] = (),
) -> list[dict[str, Any]]:
    return several_models.as_dicts(several_models.each_model(models, said, defaults, only))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "driver_for_models": driver_for_models,
            "each_model": each_model,
            "leftover_models": leftover_models.leftovers,
            "model_list_problems": several_models.problems,
            "model_reasons": model_reasons.together,
            "model_settings": several_models.names_of_settings,
        }
