# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Was the measurement undisturbed, and does it measure the server? Each doubt is a check with what was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Outcome, tokens_of

PASS, FAIL, SKIP = "pass", "fail", "skip"
# Beyond that many tokens per arrival a stream comes in bursts; speculative decoding and --stream-interval stay below.
BURST_TOKENS = 8
# A run that a server ended earlier than asked is too short to divide by.
ENOUGH = 0.5
# The part of the prompts that may come from the cache; blocks of equal beginnings are found by chance only.
CACHED = 0.05

NOT_MEASURED = "nothing was measured"
NO_FIGURES = "the server shows no figures of vLLM at /metrics"


@dataclass(frozen=True)
class Check:
    """``verdict``: pass, fail, or skip where it was not possible. ``doubt`` says why the figures are worth nothing."""

    name: str
    verdict: str
    observed: str
    doubt: Cause | None = None

    def as_dict(self) -> dict[str, str]:
        """For return values and evidence files."""
        document = asdict(self)
        document.pop("doubt")
        return document


def checks(outcome: Outcome) -> list[Check]:
    """All of them, the gravest doubt first."""
    return [check(outcome) for check in _CHECKS]


def _idle(outcome: Outcome) -> Check:
    name = "idle"
    if (load := outcome.busy or outcome.before) is None:
        return Check(name, SKIP, _skipped(outcome, "whether the server was idle is not known"))
    observed = f"requests before the runs: {load.running:.0f} running, {load.waiting:.0f} waiting"
    if load.idle:
        return Check(name, PASS, observed)
    return Check(name, FAIL, observed, _others(f"{observed}, none of them ours"))


def _tokens(outcome: Outcome) -> Check:
    name = "counters"
    if outcome.before is None or outcome.after is None or not outcome.runs:
        return Check(name, SKIP, _skipped(outcome, "whether others were served meanwhile is not known"))
    counted = outcome.after.generated_tokens - outcome.before.generated_tokens
    read = outcome.after.prompt_tokens - outcome.before.prompt_tokens
    ours, asked = tokens_of(outcome.runs), sum(run.prompt_tokens or 0 for run in outcome.runs)
    observed = f"the server counts {counted:.0f} tokens generated and {read:.0f} read, ours are {ours} and {asked}"
    if counted == ours and read == asked:
        return Check(name, PASS, observed)
    if counted >= ours and read >= asked:
        return Check(name, FAIL, observed, _others(observed))
    several = Cause(
        observed,
        "The figures are not those of the server that answered: several servers share this address, or it restarted.",
        "Measure each server at its own address, not through the load balancer; then repeat.",
        LIKELY,
    )
    return Check(name, FAIL, observed, several)


def _usage(outcome: Outcome) -> Check:
    name = "usage"
    if not outcome.runs and not outcome.usage_missing:
        return Check(name, SKIP, NOT_MEASURED)
    if not outcome.usage_missing and all(run.completion_tokens is not None for run in outcome.runs):
        return Check(name, PASS, "the server counts the tokens of a stream")
    observed = "the stream ends without usage, so that its tokens are not counted"
    cause = Cause(
        observed,
        "Without the server's own count there is no tokens/s: a chunk of a stream may hold any number of tokens.",
        "vLLM sends it when stream_options asks for it, as here: look for a proxy that drops it, or start vLLM with "
        "--enable-force-include-usage.",
        LIKELY,
    )
    return Check(name, FAIL, observed, cause)


def _length(outcome: Outcome) -> Check:
    name = "length"
    if not outcome.runs:
        return Check(name, SKIP, NOT_MEASURED)
    wanted = outcome.options.output_tokens
    shortest = min(run.completion_tokens or 0 for run in outcome.runs)
    observed = f"answers of {shortest} tokens and more, {wanted} were asked for"
    if shortest >= max(ENOUGH * wanted, 2):
        return Check(name, PASS, observed)
    cause = Cause(
        observed,
        "The server ends answers earlier than asked: it does not know ignore_eos and min_tokens, or limits the length.",
        "Set output_tokens to what the server generates; check limits of the server and of a proxy before it.",
        LIKELY,
    )
    return Check(name, FAIL, observed, cause)


def _stream(outcome: Outcome) -> Check:
    name = "stream"
    if not outcome.runs:
        return Check(name, SKIP, NOT_MEASURED)
    # As the speed is: of three runs one may have come late because this machine was busy.
    tokens = median(run.tokens_per_arrival for run in outcome.runs)
    observed = f"{tokens:.1f} tokens with each arrival"
    if outcome.measured and tokens <= BURST_TOKENS:
        return Check(name, PASS, observed)
    cause = Cause(
        f"the stream came in bursts: {observed}",
        "Something holds the stream back and passes it on in pieces, mostly a proxy, so that the first token is late "
        "and the rest seems fast.",
        "Switch buffering off (nginx: proxy_buffering off; Caddy: flush_interval -1), or measure at the server itself.",
        LIKELY,
    )
    return Check(name, FAIL, observed, cause)


def _prefix_cache(outcome: Outcome) -> Check:
    name = "prefix_cache"
    before, after = outcome.before, outcome.after
    if before is None or after is None or before.prefix_cache_hits is None or after.prefix_cache_hits is None:
        return Check(name, SKIP, _skipped(outcome, "whether prompts came from the prefix cache is not known"))
    hits = after.prefix_cache_hits - before.prefix_cache_hits
    asked = sum(run.prompt_tokens or 0 for run in outcome.runs)
    observed = f"{hits:.0f} of {asked} prompt tokens came from the prefix cache"
    if hits <= CACHED * asked:
        return Check(name, PASS, observed)
    return Check(name, FAIL, observed, _others(observed, POSSIBLE))


_CHECKS: tuple[Callable[[Outcome], Check], ...] = (_idle, _usage, _tokens, _length, _stream, _prefix_cache)


def _skipped(outcome: Outcome, consequence: str) -> str:
    if outcome.blocked is not None or outcome.busy is not None or outcome.usage_missing:
        return NOT_MEASURED
    return f"{NO_FIGURES}: {consequence}"


def _others(seen: str, confidence: str = CERTAIN) -> Cause:
    return Cause(
        seen,
        "Others use this server at the same time, and the speed that is left says nothing about what it can do.",
        "Measure when nobody else does: stop the clients, or close the way to the server while it is measured.",
        confidence,
    )
