# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probes: what each proves, for whom, what it asks and how.

A probe is draw + ask + judge. Most draw one case, ask it in one piece and streamed, and have the replies judged
against the case; the others bring a way of their own (tool_call_ways.py). docs/probes.md lists them for people.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_draws as draws
from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_ways as ways
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_asking import Answers, Exam, in_every_mode
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import Case

CONTRACT, BEHAVIOURAL = "contract", "behavioural"
_AUTO = frozenset({"tool_choice=auto"})
_NAMED = frozenset({"tool_choice=named"})
_REQUIRED = frozenset({"tool_choice=required"})
_NONE = frozenset({"tool_choice=none"})


@dataclass(frozen=True)
class Probe:
    """What a probe proves, for whom, and how it goes about it.

    ``kind``: a contract probe judges what the server guarantees, whatever the model; a behavioural one also judges
    what the model chooses and copies, and may be repeated. ``needs``: capabilities of a profile without which there
    is nothing to prove. ``expects``: the right outcome, where that is not the answer to the case.
    """

    id: str
    title: str
    proves: str
    whom: str
    kind: str
    draw: Callable[[random.Random], Case]
    needs: frozenset[str] = _AUTO
    ask: Callable[[Exam, list[Case]], Answers] = in_every_mode
    expects: str = ""
    cases: int = 1
    about_itself: bool = False  # looks at what the endpoint says of itself, also where nothing can be asked

    def drawn(self, seed: int, attempt: int) -> list[Case]:
        """The same seed and attempt give the same values, whichever other probes run."""
        rng = random.Random(f"{seed}/{self.id}/{attempt}")
        return [self.draw(rng) for _case in range(self.cases)]

    @property
    def number(self) -> str:
        """T3 of T3-read."""
        return self.id.partition("-")[0]


def select(wanted: list[str], skipped: list[str] | None = None) -> list[Probe]:
    """The probes with these ids less those skipped, in their own order; a number alone (T3) means all of it.

    ValueError for a name that no probe has, and when nothing is left.
    """
    known = {probe.id for probe in PROBES} | {probe.number for probe in PROBES}
    skipped = skipped or []
    unknown = [name for name in (*wanted, *skipped) if name not in known]
    if unknown:
        raise ValueError(f"unknown probes: {', '.join(unknown)} (known: {', '.join(probe.id for probe in PROBES)})")
    chosen = [probe for probe in PROBES if not wanted or {probe.id, probe.number} & set(wanted)]
    chosen = [probe for probe in chosen if not {probe.id, probe.number} & set(skipped)]
    if not chosen:
        raise ValueError("every probe that was asked for is skipped")
    return chosen


PROBES: tuple[Probe, ...] = (
    Probe(
        "T0-endpoint",
        "the endpoint itself",
        "The server is healthy, lists the model, and says its release, its context and its metrics.",
        "everybody who operates or monitors it",
        CONTRACT,
        draws.small_talk,
        frozenset(),
        ways.endpoint,
        "healthy, and the model is listed",
        about_itself=True,
    ),
    Probe(
        "T1-chat",
        "plain chat answers",
        "The endpoint generates text at all, and does not make calls up when it is offered no tools.",
        "every client",
        BEHAVIOURAL,
        draws.small_talk,
        frozenset(),
    ),
    Probe(
        "T1-unknown-model",
        "a wrong model is refused",
        "A request for a model that is not served is refused with an error object that clients can show.",
        "users with a typing error in their configuration",
        CONTRACT,
        draws.small_talk,
        frozenset(),
        ways.unknown_model,
        "HTTP 404 with an error object",
    ),
    Probe(
        "T2-no-tool",
        "tools offered, none needed",
        "The model answers in text where no tool helps.",
        "agents that talk with their users",
        BEHAVIOURAL,
        draws.joke,
    ),
    Probe(
        "T3-read",
        "one call, a path copied",
        "The right tool is called with exactly the path it was told.",
        "coding agents that read files",
        BEHAVIOURAL,
        draws.read,
    ),
    Probe(
        "T3-bash",
        "one call, a command copied",
        "Free text arrives unchanged, pipes and all.",
        "coding agents that run commands",
        BEHAVIOURAL,
        draws.bash,
    ),
    Probe(
        "T4-parallel",
        "two calls in one answer",
        "None of several calls in one answer is lost.",
        "agents that call several tools at once",
        BEHAVIOURAL,
        draws.two_reads,
        _AUTO | {"parallel"},
    ),
    Probe(
        "T4-one-at-a-time",
        "parallel calls switched off",
        "With parallel_tool_calls=false at most one call arrives.",
        "clients that handle one call at a time",
        BEHAVIOURAL,
        draws.one_of_two_reads,
    ),
    Probe(
        "T5-named",
        "a tool named by the client",
        "tool_choice with a name gives that call, with the values asked for.",
        "clients that extract data with a tool",
        BEHAVIOURAL,
        draws.named_read,
        _NAMED,
    ),
    Probe(
        "T5-enforced",
        "named against the question",
        "A named tool is called although nothing in the question suggests it, with arguments that hold to its schema.",
        "clients that rely on tool_choice",
        CONTRACT,
        draws.named_unit,
        _NAMED,
    ),
    Probe(
        "T6-required",
        "a call required",
        "tool_choice required gives the right call, with the values asked for.",
        "agents whose every step is a call",
        BEHAVIOURAL,
        draws.required_read,
        _REQUIRED,
    ),
    Probe(
        "T6-enforced",
        "required against the question",
        "A call is made although nothing in the question suggests it, with arguments that hold to its schema.",
        "agents whose every step is a call",
        CONTRACT,
        draws.required_unit,
        _REQUIRED,
    ),
    Probe(
        "T7-none",
        "calls forbidden",
        "tool_choice none gives text, although the question asks for a call.",
        "clients that want a summary at the end",
        BEHAVIOURAL,
        draws.forbidden_read,
        _NONE,
    ),
    Probe(
        "T8-result",
        "a tool result is used",
        "The template renders a call and its result, and the model uses it.",
        "every agent, from its second turn on",
        BEHAVIOURAL,
        draws.result,
    ),
    Probe(
        "T8-two-results",
        "two results are used",
        "The template renders two calls of one answer and both results.",
        "agents that call several tools at once",
        BEHAVIOURAL,
        draws.two_results,
        _AUTO | {"parallel"},
    ),
    Probe(
        "T9-enum",
        "two arguments, one an enum",
        "Several arguments arrive complete, and a fixed choice stays within its values.",
        "tools with more than one argument",
        BEHAVIOURAL,
        draws.weather,
    ),
    Probe(
        "T9-text",
        "text beyond ASCII",
        "Characters of several bytes arrive unharmed, although a stream may cut between their bytes.",
        "everybody who does not write English only",
        BEHAVIOURAL,
        draws.write,
    ),
    Probe(
        "T9-nested",
        "every JSON type, nested",
        "Objects in objects, lists, numbers, booleans, null and text that needs escapes arrive as the schema has them.",
        "tools with structured arguments",
        BEHAVIOURAL,
        draws.nested,
        _NAMED | {"nested_arguments"},
    ),
    Probe(
        "T10-no-arguments",
        "a tool without arguments",
        "The arguments arrive as {}, which clients can parse, streamed too.",
        "tools without parameters",
        BEHAVIOURAL,
        draws.time,
    ),
    Probe(
        "T11-cut",
        "a call cut by max_tokens",
        "A call that is cut cannot be taken for a whole one.",
        "agents, which would otherwise act on half a path",
        BEHAVIOURAL,
        draws.read,
        ask=ways.cut_off,
        expects="finish_reason length (tool_calls up to vLLM 0.30), and no call that looks whole",
    ),
    Probe(
        "T12-text-and-call",
        "text beside a call",
        "Text and call are told apart, and nothing of the call is left in the text.",
        "agents that explain what they do",
        BEHAVIOURAL,
        draws.explained_read,
    ),
    Probe(
        "T13-concurrent",
        "eight calls at once",
        "Requests do not disturb each other in the server's parser.",
        "servers with more than one user or agent",
        BEHAVIOURAL,
        draws.read,
        ask=ways.at_once,
        expects="each request gets its own call",
        cases=8,
    ),
    Probe(
        "T14-many-tools",
        "one call out of twenty tools",
        "The right tool is found among as many as agents offer.",
        "agents with extensions (MCP)",
        BEHAVIOURAL,
        draws.read_among_many,
    ),
    Probe(
        "T15-own-id",
        "a call and its result",
        "The server takes back the call that it made, with the id it gave, and answers with the result.",
        "every agent, from its second turn on",
        BEHAVIOURAL,
        draws.read_with_code,
        ask=ways.own_id,
        expects="the call, and when it is replayed with a result, text that contains the result",
    ),
    Probe(
        "T16-template",
        "tools reach the prompt",
        "The chat template renders the tools: the prompt has more tokens with them than without.",
        "everybody, for else no call will ever come",
        CONTRACT,
        draws.joke_among_many,
        ask=ways.prompt_with_tools,
        expects="more prompt tokens with tools than without",
    ),
    Probe(
        "T17-limits",
        "max_tokens at the context",
        "A max_tokens that does not fit is clamped or refused, as the release has it.",
        "clients without limits in their configuration",
        CONTRACT,
        draws.small_talk,
        frozenset(),
        ways.large_max_tokens,
        "clamped or HTTP 400, as the release has it",
    ),
    Probe(
        "T17-full",
        "a prompt up to the limit",
        "A prompt of the whole context less the output still gets an answer.",
        "agents in long sessions",
        CONTRACT,
        draws.small_talk,
        frozenset(),
        ways.filled_context,
        "an answer",
    ),
    Probe(
        "T17-overflow",
        "a prompt beyond the limit",
        "A prompt that is too long is refused with a message that names the limit, and not cut silently.",
        "agents, which then compact their history",
        CONTRACT,
        draws.small_talk,
        frozenset(),
        ways.overfilled_context,
        "HTTP 400 that names the context",
    ),
    Probe(
        "T18-access",
        "nobody without the key",
        "Without the key nothing answers, neither to a crafted Host header (CVE-2026-48746) nor beside /v1.",
        "owners of the server",
        CONTRACT,
        draws.small_talk,
        frozenset(),
        ways.access,
        "HTTP 401 without the key",
    ),
    Probe(
        "T19-reasoning",
        "parameters for reasoning",
        "reasoning_effort and enable_thinking neither keep a call from coming nor change it.",
        "agents that take the model for one that reasons",
        BEHAVIOURAL,
        draws.read,
        ask=ways.reasoning_parameters,
        expects="the same call as without them",
    ),
)
