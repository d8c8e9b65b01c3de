# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks an endpoint one question in one mode, and keeps what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_judge as judging
from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import ChatReply
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Expectations
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import Case
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import PLAIN, STREAMED, Finding

EXCERPT_CHARACTERS = 600
EXCERPT_MESSAGE = 2000  # of one message of a request: those that fill the context are of no interest in full


class NothingToProveError(Exception):
    """What a probe needs is not there, and nothing is wrong with that; the message says what."""


@dataclass
class Answer:
    """One request with what came of it: a reply, an error, or a refusal that was wanted.

    ``mode`` is plain or streamed; empty for what is no chat. ``seen`` tells it in words where the reply does not.
    """

    request: dict[str, Any]
    mode: str = ""
    reply: ChatReply | None = None
    error: EndpointError | None = None
    refusal: EndpointError | None = None
    findings: list[Finding] = field(default_factory=list)
    seen: str = ""

    def describe(self) -> str:
        """In a few words."""
        if self.seen:
            return self.seen
        if self.reply is not None:
            return judging.describe(self.reply)
        refused = self.error or self.refusal
        return refused.seen if refused else "not asked"

    def evidence(self) -> dict[str, Any]:
        """What a person needs to judge for himself; tools by name only."""
        request = dict(self.request)
        if "tools" in request:
            request["tools"] = [tool["function"]["name"] for tool in request["tools"]]
        if "messages" in request:
            request["messages"] = [_shortened(message) for message in request["messages"]]
        evidence: dict[str, Any] = {"request": request, "response": None, "seconds": None}
        if self.seen:
            evidence["seen"] = self.seen
        if (error := self.error or self.refusal) is not None:
            evidence["error"] = error.as_dict()
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


Answers = dict[str, Answer]


@dataclass(frozen=True)
class Exam:
    """Whom to ask, and how."""

    client: OpenAIClient
    state: EndpointState
    model: str
    seed: int
    max_tokens: int
    modes: tuple[str, ...]
    expectations: Expectations
    profile: dict[str, Any]

    @property
    def context(self) -> int | None:
        """How many tokens prompt and answer may have together, as the server says."""
        return self.state.context(self.model)

    @property
    def agent_mode(self) -> str:
        """How agents ask: streamed, where that is possible."""
        return self.modes[-1]

    def ask(self, case: Case, mode: str, **changes: Any) -> Answer:
        """The answer, judged; ``changes`` go into the request."""
        answer = self.ask_unjudged(case, mode, **changes)
        if answer.reply is not None:
            answer.findings = judging.judge(answer.reply, case, mode, self.expectations)
        return answer

    def ask_unjudged(self, case: Case, mode: str, **changes: Any) -> Answer:
        """The same, and only an error is a finding."""
        request = case.request(self.model, self.seed, self.max_tokens, stream=mode == STREAMED)
        answer = Answer(request | changes, mode)
        try:
            answer.reply = self.client.chat(answer.request)
        except EndpointError as error:
            answer.error = error
            answer.findings = judging.judge_error(error, mode)
        return answer


def hopeless(error: EndpointError) -> bool:
    """Whether every further request would fail in the same way."""
    return error.kind in ("unreachable", "tls", "config") or error.status in (401, 403, 404)


def in_every_mode(exam: Exam, cases: list[Case]) -> Answers:
    """In one piece and streamed, and both must make the same calls: how most probes ask."""
    case = cases[0]
    answers: Answers = {}
    for mode in exam.modes:
        answers[mode] = answer = exam.ask(case, mode)
        if answer.error is not None and hopeless(answer.error):
            return answers
    plain, streamed = (answers[mode].reply if mode in answers else None for mode in (PLAIN, STREAMED))
    if plain is not None and streamed is not None:
        answers[STREAMED].findings += judging.compare(plain, streamed, case)
    return answers


def _shortened(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str) and len(content) > EXCERPT_MESSAGE:
        return message | {"content": f"{content[:EXCERPT_MESSAGE]} … ({len(content)} characters)"}
    return message
