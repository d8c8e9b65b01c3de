# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the probes to an endpoint, each in one piece and streamed, and keeps what came back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_judge as judging
from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import ChatReply
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState, look
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import PLAIN, STREAMED, Finding
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import Case, Probe, select

EXCERPT_CHARACTERS = 600
# After that many requests without an answer in time, the rest would only cost more time.
TIMEOUTS_ENDURED = 2


@dataclass
class Options:
    """How to check. ``capabilities`` come from a profile; what it does not mention is expected to work."""

    model: str | None = None
    probes: list[str] = field(default_factory=list)
    tries: int = 2
    max_tokens: int = 512
    seed: int = 0
    capabilities: dict[str, Any] = field(default_factory=dict)

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
class Answer:
    """One request with what came of it: a reply or an error."""

    request: dict[str, Any]
    reply: ChatReply | None = None
    error: EndpointError | None = None
    findings: list[Finding] = field(default_factory=list)

    def describe(self) -> str:
        """In a few words."""
        if self.reply is not None:
            return judging.describe(self.reply)
        return self.error.seen if self.error else "not asked"

    def evidence(self) -> dict[str, Any]:
        """What a person needs to judge for himself; tools by name only, they are the same for all probes."""
        request = dict(self.request)
        if "tools" in request:
            request["tools"] = [tool["function"]["name"] for tool in request["tools"]]
        evidence: dict[str, Any] = {"request": request, "response": None, "seconds": None}
        if self.error is not None:
            evidence["error"] = self.error.as_dict()
        if (reply := self.reply) is not None:
            evidence["seconds"] = round(reply.seconds, 3)
            evidence["ttft"] = None if reply.ttft is None else round(reply.ttft, 3)
            evidence["response"] = {
                "content": reply.content[:EXCERPT_CHARACTERS],
                "tool_calls": [call.as_dict() for call in reply.tool_calls],
                "finish_reason": reply.finish_reason,
                "usage": reply.usage,
                "chunks": reply.chunk_count,
            }
        return evidence


@dataclass
class ProbeResult:
    """The verdict on one probe: pass, fail, warn, skip or inconclusive."""

    probe: Probe
    verdict: str
    expected: str = ""
    observed: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    case: Case | None = None
    tries: int = 0

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
            "verdict": self.verdict,
            "expected": self.expected,
            "observed": self.observed,
            "findings": [finding.as_dict() for finding in self.findings],
            "evidence": {mode: answer.evidence() for mode, answer in self.answers.items()},
            "tries": self.tries,
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
        """All answers, or those of one way of asking."""
        every = (pair for result in self.results for pair in result.answers.items())
        return [answer for asked, answer in every if mode in (None, asked)]

    def errors(self) -> list[EndpointError]:
        """Every request that failed, in order."""
        errors = [answer.error for answer in self.answers() if answer.error is not None]
        if self.blocked is not None and self.blocked not in errors:
            errors.append(self.blocked)
        return errors

    def findings(self, *names: str) -> list[Finding]:
        """All findings of some classes."""
        return [finding for result in self.results for finding in result.findings if finding.name in names]


def run(client: OpenAIClient, options: Options) -> Outcome:
    """Ask everything. Raises ValueError for unknown probes; whatever the endpoint does ends up in the outcome."""
    probes = select(options.probes)
    outcome = Outcome(look(client), options)
    outcome.model = options.model or next(iter(outcome.state.served), None)
    if not outcome.state.reachable or outcome.model is None:
        outcome.blocked = outcome.state.error or _no_model(client)
    timeouts = 0
    for probe in probes:
        if reason := options.reason_to_skip(probe):
            outcome.results.append(ProbeResult(probe, "skip", observed=reason))
            continue
        if outcome.blocked is not None or outcome.model is None:
            seen = f"not asked: {outcome.blocked.seen if outcome.blocked else 'no model'}"
            outcome.results.append(ProbeResult(probe, "inconclusive", observed=seen))
            continue
        result = _put(client, probe, options, outcome.model)
        outcome.results.append(result)
        for error in (answer.error for answer in result.answers.values() if answer.error):
            timeouts += error.kind == "timeout"
            if _hopeless(error) or timeouts >= TIMEOUTS_ENDURED:
                outcome.blocked = error
    return outcome


def _put(client: OpenAIClient, probe: Probe, options: Options, model: str) -> ProbeResult:
    attempt = 0
    while True:
        attempt += 1
        case = probe.case(options.seed, attempt)
        answers = _ask(client, case, options, model)
        result = ProbeResult(probe, "pass", case.expected(), _observed(answers), answers, case, attempt)
        failures = [finding for finding in result.findings if not finding.warning]
        if failures and attempt < options.tries and all(finding.behavioural for finding in failures):
            continue
        if failures:
            result.verdict = "fail"
        elif result.findings:
            result.verdict = "warn"
        return result


def _ask(client: OpenAIClient, case: Case, options: Options, model: str) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for mode in options.modes:
        answer = Answer(case.request(model, options.seed, options.max_tokens, stream=mode == STREAMED))
        answers[mode] = answer
        try:
            answer.reply = client.chat(answer.request)
            answer.findings = judging.judge(answer.reply, case, mode)
        except EndpointError as error:
            answer.error = error
            answer.findings = judging.judge_error(error, mode)
            if _hopeless(error):
                return answers
    plain, streamed = (answers[mode].reply if mode in answers else None for mode in (PLAIN, STREAMED))
    if plain is not None and streamed is not None:
        answers[STREAMED].findings += judging.compare(plain, streamed, case)
    return answers


def _observed(answers: dict[str, Answer]) -> str:
    told = {mode: answer.describe() for mode, answer in answers.items()}
    if len(told) > 1 and len(set(told.values())) == 1:
        return f"plain and streamed: {told[PLAIN]}"
    return "; ".join(f"{mode}: {text}" for mode, text in told.items())


def _hopeless(error: EndpointError) -> bool:
    """Whether every further request would fail in the same way."""
    return error.kind in ("unreachable", "tls", "config") or error.status in (401, 403, 404)


def _no_model(client: OpenAIClient) -> EndpointError:
    return EndpointError(
        "protocol",
        "the server lists no model",
        "Without a name there is nothing to ask.",
        "Name the model as served with the option model, or look into the server's log.",
        where=f"GET {client.base_url}/models",
    )
