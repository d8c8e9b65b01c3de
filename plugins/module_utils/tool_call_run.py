# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the probes to an endpoint, some at a time, and reaches a verdict on each."""

from __future__ import annotations

import math
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError, no_model
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState, look
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Expectations
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_asking import (
    Answer,
    Answers,
    Exam,
    NothingToProveError,
    hopeless,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import Case
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import PLAIN, STREAMED, Finding
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import CONTRACT, Probe, select
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import parser_fault

# After that many requests without an answer in time, the rest would only cost more time.
TIMEOUTS_ENDURED = 2


@dataclass
class Options:
    """How to check. What the profile does not mention is expected to work.

    A behavioural probe passes when, of at most ``tries`` attempts with other values each, the share ``pass_rate``
    is right; it stops as soon as that is certain.
    """

    model: str | None = None
    probes: list[str] = field(default_factory=list)
    skip: list[str] = field(default_factory=list)
    tries: int = 2
    pass_rate: float = 0.5
    concurrency: int = 2
    max_tokens: int = 512
    seed: int = 0
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def capabilities(self) -> dict[str, Any]:
        """What the profile says that the model can do."""
        return self.profile.get("capabilities") or {}

    def attempts(self, probe: Probe) -> tuple[int, int]:
        """How often the probe may be put, and how often it must come out right."""
        if probe.kind == CONTRACT:
            return 1, 1
        flaky = self.capabilities.get("flaky") or {}
        known = flaky.get(probe.id) or flaky.get(probe.number) or {}
        tries = known.get("tries", self.tries)
        return tries, max(1, math.ceil(tries * known.get("pass_rate", self.pass_rate) - 1e-9))

    def reason_to_skip(self, probe: Probe) -> str | None:
        """Why this endpoint need not pass the probe."""
        lacking = sorted(name for name in probe.needs if not self._supports(name))
        return f"the profile says that {', '.join(lacking)} is not supported" if lacking else None

    def _supports(self, capability: str) -> bool:
        kind, _equals, choice = capability.partition("=")
        if choice:  # such as tool_choice=auto
            choices = self.capabilities.get(kind)
            return choices is None or choice in choices
        return self.capabilities.get(kind) is not False

    @property
    def modes(self) -> tuple[str, ...]:
        """The ways of asking."""
        return (PLAIN,) if self.capabilities.get("streaming") is False else (PLAIN, STREAMED)


@dataclass
class ProbeResult:
    """The verdict on one probe: pass, fail, warn, skip or inconclusive."""

    probe: Probe
    verdict: str
    expected: str = ""
    observed: str = ""
    answers: Answers = field(default_factory=dict)
    case: Case | None = None
    tries: int = 0
    right: int = 0

    @property
    def findings(self) -> list[Finding]:
        """Of all modes."""
        return [finding for answer in self.answers.values() for finding in answer.findings]

    def as_dict(self) -> dict[str, Any]:
        """For return values and evidence files."""
        return {
            "id": self.probe.id,
            "title": self.probe.title,
            "proves": self.probe.proves,
            "whom": self.probe.whom,
            "kind": self.probe.kind,
            "verdict": self.verdict,
            "expected": self.expected,
            "observed": self.observed,
            "findings": [finding.as_dict() for finding in self.findings],
            "evidence": {mode: answer.evidence() for mode, answer in self.answers.items()},
            "tries": self.tries,
            "right": self.right,
        }


@dataclass
class Outcome:
    """A whole check. ``blocked`` is the error that kept it from being finished."""

    state: EndpointState
    options: Options
    model: str | None = None
    results: list[ProbeResult] = field(default_factory=list)
    blocked: EndpointError | None = None

    @property
    def counts(self) -> Counter[str]:
        """How often each verdict was reached."""
        return Counter(result.verdict for result in self.results)

    @property
    def passed(self) -> bool:
        """Nothing failed, nothing stayed open, and something was proven."""
        counts = self.counts
        return not counts["fail"] and not counts["inconclusive"] and counts["pass"] + counts["warn"] > 0

    def answers(self, mode: str | None = None) -> list[Answer]:
        """All answers to chat requests, or those of one mode."""
        every = (answer for result in self.results for answer in result.answers.values())
        return [answer for answer in every if (answer.mode if mode is None else answer.mode == mode)]

    def errors(self) -> list[EndpointError]:
        """Every request that failed, in order."""
        every = (answer for result in self.results for answer in result.answers.values())
        errors = [answer.error for answer in every if answer.error is not None]
        if self.blocked is not None and self.blocked not in errors:
            errors.append(self.blocked)
        return errors

    def findings(self, *names: str) -> list[Finding]:
        """All findings of some classes."""
        return [finding for result in self.results for finding in result.findings if finding.name in names]


def run(client: OpenAIClient, options: Options) -> Outcome:
    """Ask everything. Raises ValueError for unknown probes; whatever the endpoint does ends up in the outcome."""
    probes = select(options.probes, options.skip)
    outcome = Outcome(look(client), options)
    outcome.model = options.model or next(iter(outcome.state.served), None)
    if not outcome.state.reachable or outcome.model is None:
        outcome.blocked = outcome.state.error or no_model(f"GET {client.base_url}/models")
    examination = _Examination(client, outcome)
    # The first probes find out whether it makes sense to ask on; after them several can be put at a time.
    first = next((number for number, probe in enumerate(probes, 1) if not probe.about_itself), len(probes))
    outcome.results = [examination.put(probe) for probe in probes[:first]]
    with ThreadPoolExecutor(options.concurrency) as pool:
        outcome.results += pool.map(examination.put, probes[first:])
    return outcome


class _Examination:
    """Puts probes, from several threads, until the endpoint has shown that no answer will come."""

    def __init__(self, client: OpenAIClient, outcome: Outcome) -> None:
        self._outcome = outcome
        self._options = options = outcome.options
        self._exam = Exam(
            client,
            outcome.state,
            outcome.model or "",
            options.seed,
            options.max_tokens,
            options.modes,
            Expectations(outcome.state.version),
            options.profile,
        )
        self._lock = threading.Lock()
        self._timeouts = 0

    def put(self, probe: Probe) -> ProbeResult:
        """The verdict on one probe."""
        if reason := self._options.reason_to_skip(probe):
            return ProbeResult(probe, "skip", observed=reason)
        blocked = self._outcome.blocked
        if blocked is not None and not probe.about_itself:
            return ProbeResult(probe, "inconclusive", observed=f"not asked: {blocked.seen}")
        try:
            result = self._tried(probe)
        except NothingToProveError as reason:
            return ProbeResult(probe, "skip", observed=str(reason))
        self._note_errors(result)
        return result

    def _tried(self, probe: Probe) -> ProbeResult:
        tries, needed = self._options.attempts(probe)
        right = attempt = 0
        while True:
            attempt += 1
            result = self._attempt(probe, attempt)
            failures = [finding for finding in result.findings if not finding.warning]
            right += not failures
            result.right = right
            if failures and not (probe.kind != CONTRACT and all(finding.behavioural for finding in failures)):
                result.verdict = "fail"
            elif right >= needed:
                result.verdict = "warn" if result.findings else "pass"
            elif attempt - right > tries - needed:
                result.verdict = "fail"
            else:
                continue
            return result

    def _attempt(self, probe: Probe, attempt: int) -> ProbeResult:
        cases = probe.drawn(self._options.seed, attempt)
        answers = probe.ask(self._exam, cases)
        for answer in answers.values():
            answer.findings = [self._excused(finding, probe) for finding in answer.findings]
        expected = probe.expects or cases[0].expected()
        return ProbeResult(probe, "fail", expected, _observed(answers), answers, cases[0], attempt)

    def _excused(self, finding: Finding, probe: Probe) -> Finding:
        """A warning, where the profile's parser is known to do this in vLLM itself: nothing on this node mends it."""
        parser = (self._options.profile.get("tool_calls") or {}).get("parser", "")
        fault = parser_fault(parser, probe.id, finding.name)
        if fault is None or self._outcome.state.version is None:
            return finding
        message = f"{finding.message} (a known fault of vLLM's parser {parser}: {fault.fault})"
        return replace(finding, message=message, warning=True)

    def _note_errors(self, result: ProbeResult) -> None:
        for error in (answer.error for answer in result.answers.values() if answer.error):
            with self._lock:
                self._timeouts += error.kind == "timeout"
                if hopeless(error) or self._timeouts >= TIMEOUTS_ENDURED:
                    self._outcome.blocked = self._outcome.blocked or error


def _observed(answers: Answers) -> str:
    told = {name: answer.describe() for name, answer in answers.items()}
    if set(told) == {PLAIN, STREAMED} and len(set(told.values())) == 1:
        return f"plain and streamed: {told[PLAIN]}"
    return "; ".join(f"{name}: {text}" for name, text in told.items())
