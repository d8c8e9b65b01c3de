# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a measurement is worth: is it one at all, is it possible, and is it fast enough?"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.toolserve.gpunode.plugins.module_utils import throughput_causes as causes
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.roofline import STEP_OVERHEAD, Roofline
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_checks import Check, checks
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Outcome
from ansible_collections.toolserve.gpunode.plugins.module_utils.token_cost import TokenCost

PASS, WARN, FAIL, INCONCLUSIVE = "pass", "warn", "fail", "inconclusive"
_GRAVITY = (PASS, WARN, INCONCLUSIVE, FAIL)


@dataclass(frozen=True)
class Limits:
    """Efficiencies from 0 to 1, the floor in tokens per second, the overhead in seconds per token."""

    fail_below: float = 0.35
    warn_below: float = 0.55
    minimum_tokens_per_second: float | None = None
    step_overhead: float = STEP_OVERHEAD


@dataclass(frozen=True)
class Bandwidth:
    """Of the memory that holds the weights, in bytes per second, and where that was learnt."""

    bytes_per_second: float
    source: str


@dataclass
class Judgement:
    """``basis`` says in words what the verdict rests on; the roofline is there whenever it could be computed."""

    verdict: str
    basis: str
    checks: list[Check]
    causes: list[Cause] = field(default_factory=list)
    roofline: Roofline | None = None
    efficiency: float | None = None


def judge(outcome: Outcome, cost: TokenCost | None, bandwidth: Bandwidth | None, limits: Limits) -> Judgement:
    """The verdict on a whole measurement."""
    made = checks(outcome)
    if outcome.blocked is not None:
        return Judgement(
            FAIL, "The endpoint did not answer as it must.", made, [causes.request(outcome.blocked, outcome)]
        )
    doubts = [check.doubt for check in made if check.doubt is not None]
    speed = outcome.median(lambda run: run.decode_tokens_per_second)
    if doubts or speed is None:
        return Judgement(INCONCLUSIVE, "What was measured does not say what the server can do.", made, doubts)
    judgement = Judgement(PASS, "", made)
    by_roofline = _by_roofline(judgement, outcome, speed, cost, bandwidth, limits)
    by_floor = _by_floor(judgement, speed, limits, needed=by_roofline is None)
    judgement.verdict = max((one for one in (by_roofline, by_floor) if one is not None), key=_GRAVITY.index)
    if (loaded := causes.load(outcome)) is not None:
        judgement.causes.append(loaded)
        judgement.verdict = max(judgement.verdict, WARN, key=_GRAVITY.index)
    for level in outcome.levels:
        if level.error is not None:
            judgement.causes.insert(0, causes.failed_under_load(level.error, level.requests))
            judgement.verdict = FAIL
            break
    return judgement


def _by_roofline(
    judgement: Judgement,
    outcome: Outcome,
    speed: float,
    cost: TokenCost | None,
    bandwidth: Bandwidth | None,
    limits: Limits,
) -> str | None:
    """A verdict, or None where a roofline says nothing."""
    if cost is None or bandwidth is None:
        lacking = [] if bandwidth else ["the memory bandwidth"]
        lacking += [] if cost else ["the bytes read for each token"]
        judgement.basis = f"No roofline: {' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not known."
        return None
    context = outcome.median(lambda run: run.mean_context) or 0.0
    roofline = Roofline(bandwidth.bytes_per_second, cost.weight_bytes, cost.kv_cache.bytes_at(context))
    efficiency = roofline.efficiency(speed)
    judgement.roofline, judgement.efficiency = roofline, efficiency
    if efficiency > 1:
        judgement.basis = "Faster than the memory allows: one of the figures given is wrong."
        judgement.causes.append(causes.impossible(speed, roofline, cost, bandwidth.source))
        return INCONCLUSIVE
    healthy = roofline.healthy_efficiency(limits.step_overhead)
    if healthy < limits.warn_below:
        judgement.basis = (
            f"No verdict by the roofline: reading the weights takes {roofline.seconds_per_token * 1000:.2g} ms, and a "
            f"healthy server with {limits.step_overhead * 1000:.2g} ms of other work for each token would reach only "
            f"{healthy:.0%}."
        )
        return None
    judgement.basis = f"{efficiency:.0%} of what the memory allows (warn below {limits.warn_below:.0%}, "
    judgement.basis += f"fail below {limits.fail_below:.0%})."
    if efficiency >= limits.warn_below:
        return PASS
    judgement.causes.append(causes.slow(speed, roofline, efficiency))
    return FAIL if efficiency < limits.fail_below else WARN


def _by_floor(judgement: Judgement, speed: float, limits: Limits, *, needed: bool) -> str | None:
    """A verdict, or None where no floor is set and none is needed."""
    floor = limits.minimum_tokens_per_second
    if floor is None:
        if not needed:
            return None
        judgement.causes.append(causes.nothing_to_judge_by(speed, judgement.basis))
        return INCONCLUSIVE
    judgement.basis += f" The floor is {floor:g} tokens/s."
    if speed >= floor:
        return PASS
    judgement.causes.append(causes.below_floor(speed, floor))
    return FAIL
