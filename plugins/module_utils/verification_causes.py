# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every cause that a verification points to, in the order in which they are worth acting on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    cause_text,
    rules_exposure,
    rules_setup,
    rules_speed,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving_gpus import uses_gpu
from ansible_collections.toolserve.gpunode.plugins.module_utils.terminal_text import printable
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Setup

Told = dict[str, str]


def find(setup: Setup) -> list[Told]:
    """Why there is no server, why calls fail, why it is slow, who reaches it; what is told already is not repeated."""
    # Where it is known why the server died, that nothing answers is but the consequence.
    explained = setup.never_answered and bool(_of(setup.waiting)) and not setup.server.get("reachable")
    return _once(
        _fired((rules_setup.too_few_gpus,), setup),
        _of(setup.waiting),
        _fired(rules_setup.SERVER_RULES, setup),
        _problems(setup) if setup.never_answered else [],
        _fired(rules_setup.CALL_RULES, setup),
        [] if explained else _of(setup.tool_calls),
        _fired(rules_speed.RULES, setup) if setup.slow else [],
        _problems(setup) if setup.slow else [],
        _fired((rules_setup.small_kv_cache, rules_setup.tight_kv_cache), setup),
        [] if explained else _of(setup.throughput),
        _fired((rules_speed.doubtful_roofline,), setup),
        _fired(rules_exposure.RULES, setup),
    )


def as_text(causes: Iterable[Mapping[str, str]], told: Iterable[Mapping[str, str]] = ()) -> str:
    """For a terminal, at most 100 columns wide, without those that were told elsewhere; empty when nothing is left."""
    symptoms = {cause["symptom"] for cause in told}
    lines = []
    for cause in causes:
        if cause["symptom"] not in symptoms:
            lines += cause_text.terminal(cause)
    return printable("\n".join(["All sources together say:", *lines])) if lines else ""


def _fired(rules: Sequence[Callable[[Setup], Cause | None]], setup: Setup) -> list[Told]:
    return [cause.as_dict() for rule in rules if (cause := rule(setup)) is not None]


def _of(result: Mapping[str, Any]) -> list[Told]:
    return list(result.get("causes") or [])


def _problems(setup: Setup) -> list[Told]:
    """Of the GPUs; a machine without any is no problem of a server that was given none."""
    return list(setup.gpu.get("problems") or []) if setup.gpus or uses_gpu(setup.container) else []


def _once(*groups: Sequence[Told]) -> list[Told]:
    """A symptom is explained by whom it was told first, which is who knew most."""
    told: list[Told] = []
    for group in groups:
        symptoms = {cause["symptom"] for cause in told}
        told += [cause for cause in group if cause["symptom"] not in symptoms]
    return told
