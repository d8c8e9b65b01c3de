# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a reply: pure judgement, no network.

Two sorts of findings. A *contract* finding means that the endpoint broke a promise that clients rely on; one is
one too many. A *behavioural* finding means that the model chose or copied badly within a sound contract; models do
that now and then, so the question may be put again with other values. What the server enforces is no choice of the
model: with tool_choice required or a named tool, a missing call is a broken contract.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import json_schema
from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import ChatReply, ToolCall
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Accepted, Expectations
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import Case, ExpectedCall
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_markup import excerpt, find_markup

PLAIN, STREAMED = "plain", "streamed"
BEHAVIOURAL = frozenset(
    {"AnswerCut", "MissingToolCalls", "ParametersHarm", "UnexpectedCalls", "WrongArguments", "WrongAnswer"}
)
_STOP, _LENGTH = frozenset({"stop"}), frozenset({"length"})


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``name`` is the error class, ``mode`` the way of asking that showed it."""

    name: str
    message: str
    mode: str
    detail: str = ""
    warning: bool = False

    @property
    def behavioural(self) -> bool:
        """Whether asking again is fair."""
        return self.name in BEHAVIOURAL

    def as_dict(self) -> dict[str, Any]:
        """For evidence."""
        return {
            "class": self.name,
            "message": self.message,
            "detail": self.detail,
            "mode": self.mode,
            "severity": "warn" if self.warning else "fail",
        }


def judge_error(error: EndpointError, mode: str) -> list[Finding]:
    """There is no reply at all."""
    return [Finding("RequestFailed", str(error), mode, error.body)]


def judge(reply: ChatReply, case: Case, mode: str, expectations: Expectations) -> list[Finding]:
    """Everything that is wrong with one reply, the most telling first."""
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in case.tools}
    if is_cut(reply) and case.calls:
        # Everything else would only follow from that: half a call is no JSON, or text to a parser that wants it whole.
        message = f"max_tokens ended the answer before the call was complete: {describe_calls(reply)}"
        return [Finding("AnswerCut", message, mode, excerpt(reply.content))]
    findings = _text_findings(reply, case, mode, frozenset(schemas))
    for call in reply.tool_calls:
        findings += _call_findings(call, schemas, mode)
    if not any(finding.name in ("InvalidJson", "UnknownName", "SchemaMismatch") for finding in findings):
        findings += _choice_findings(reply, case, mode, expectations)
    findings += _wire_findings(reply, mode)
    findings += _finish_findings(reply, case, mode, expectations)
    return findings


def judge_cut(reply: ChatReply, case: Case, mode: str, expectations: Expectations) -> list[Finding]:
    """What is wrong with an answer that max_tokens cut in the middle of a call: may a client take it for whole?"""
    findings = _wire_findings(reply, mode)
    for call in reply.tool_calls:
        if _is_json(call.arguments) and not any(_is(call, expected) for expected in case.calls):
            message = f"a call that max_tokens cut arrives as if it were whole: {describe_calls(reply)}"
            findings.append(Finding("TruncatedCall", message, mode))
    if len(reply.finish_reasons) != 1:
        return [*findings, _finish_count(reply, mode)]
    if not reply.tool_calls:
        return findings + _judge_reason(reply, Accepted(_LENGTH, _LENGTH), mode)
    return findings + _judge_reason(reply, expectations.accepted("finish_reason, cut"), mode)


def compare(plain: ChatReply, streamed: ChatReply, case: Case) -> list[Finding]:
    """Streamed must be what came in one piece, as far as calls go; the wording of text may differ."""
    if is_cut(plain) or is_cut(streamed) or _comparable(plain, case) == _comparable(streamed, case):
        return []
    told = f"plain: {describe_calls(plain)}; streamed: {describe_calls(streamed)}"
    return [Finding("StreamMismatch", f"the streamed answer makes other calls than the plain one ({told})", STREAMED)]


def is_cut(reply: ChatReply) -> bool:
    """Whether the limit on tokens ended it."""
    return reply.finish_reason == "length"


def describe(reply: ChatReply) -> str:
    """A reply in a few words."""
    parts = [describe_calls(reply)] if reply.tool_calls else []
    if reply.content.strip():
        parts.append(f"text {excerpt(reply.content, length=120)!r}")
    return f"{', '.join(parts) or 'nothing'}, finish_reason {reply.finish_reason or 'missing'}"


def describe_calls(reply: ChatReply) -> str:
    """Its calls in a few words."""
    return " and ".join(f"{call.name}({excerpt(call.arguments)})" for call in reply.tool_calls) or "no call"


def parse_arguments(text: str) -> Any:
    """Arguments as strict JSON: NaN and Infinity, which Python would take, are none. ValueError otherwise."""
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text_findings(reply: ChatReply, case: Case, mode: str, tool_names: frozenset[str]) -> list[Finding]:
    findings = []
    if markup := find_markup(reply.content, tool_names):
        what = "a tool call" if markup.family.is_call else "reasoning"
        message = f"{what} was left in content as {markup.family.name}"
        # With tool_choice none the model may still write a call; that nothing acts on it is what counts.
        findings.append(Finding("MarkupLeak", message, mode, markup.excerpt, warning=case.kind == "none"))
    elif not case.calls and not reply.tool_calls:
        if not reply.content.strip():
            findings.append(Finding("WrongAnswer", "an answer in text was expected, and content is empty", mode))
        elif missing := [part for part in case.contains if part not in reply.content]:
            message = f"the text does not contain {' and '.join(map(repr, missing))}"
            findings.append(Finding("WrongAnswer", message, mode, excerpt(reply.content)))
    return findings


def _call_findings(call: ToolCall, schemas: dict[str, Any], mode: str) -> list[Finding]:
    if call.name not in schemas:
        message = f"the tool {call.name!r} was called, which was not offered"
        return [Finding("UnknownName", message, mode, excerpt(call.arguments))]
    try:
        arguments = parse_arguments(call.arguments)
    except ValueError as error:
        message = f"the arguments of {call.name} are not JSON: {error}"
        return [Finding("InvalidJson", message, mode, call.arguments[:300])]
    problems = json_schema.errors(arguments, schemas[call.name])
    if problems:
        message = f"the arguments of {call.name} break its schema: {'; '.join(problems)}"
        return [Finding("SchemaMismatch", message, mode, call.arguments[:300])]
    return []


def _choice_findings(reply: ChatReply, case: Case, mode: str, expectations: Expectations) -> list[Finding]:
    """Were the right calls made, given that each is sound in itself?"""
    open_calls = list(reply.tool_calls)
    missing = []
    for expected in case.calls:
        found = next((call for call in open_calls if _is(call, expected)), None)
        if found is None:
            missing.append(expected)
        else:
            open_calls.remove(found)
    if ignored := _ignored(reply, case, expectations):
        return [Finding("ChoiceIgnored", ignored, mode, excerpt(reply.content))]
    # Who requires a call gets at least one.
    if not missing and (not open_calls or case.kind == "required"):
        return []
    if case.one_call and len(reply.tool_calls) == 1 and not open_calls:
        return []
    if len(reply.tool_calls) != len(case.calls):
        name = "MissingToolCalls" if len(reply.tool_calls) < len(case.calls) else "UnexpectedCalls"
        message = f"{len(case.calls)} expected, {len(reply.tool_calls)} made: {describe_calls(reply)}"
        return [Finding(name, message, mode, excerpt(reply.content))]
    told = " and ".join(map(str, missing))
    return [Finding("WrongArguments", f"expected {told}, got {describe_calls(reply)}", mode)]


def _ignored(reply: ChatReply, case: Case, expectations: Expectations) -> str:
    """What the client forbade or required, and the server let pass."""
    if case.kind == "none":
        return f"tool_choice is none, and calls were made: {describe_calls(reply)}" if reply.tool_calls else ""
    if case.kind in ("required", "named") and not reply.tool_calls:
        return f"tool_choice is {case.choice}, and no call was made"
    if case.kind == "named" and any(call.name != case.choice for call in reply.tool_calls):
        return f"tool_choice names {case.choice}, and another tool was called: {describe_calls(reply)}"
    several = case.one_call and len(reply.tool_calls) > 1
    if several and "ignored" not in expectations.accepted("parallel_tool_calls=false").right:
        return f"parallel_tool_calls is false, and {len(reply.tool_calls)} calls arrive: {describe_calls(reply)}"
    return ""


def _is(call: ToolCall, expected: ExpectedCall) -> bool:
    arguments = parse_arguments(call.arguments)
    return (
        call.name == expected.name
        and isinstance(arguments, dict)
        and expected.compared(arguments) == expected.arguments
    )


def _wire_findings(reply: ChatReply, mode: str) -> list[Finding]:
    """What clients trip over although the call itself may be right."""
    problems = list(dict.fromkeys(reply.violations))
    for call in reply.tool_calls:
        if call.type != "function":
            problems.append(f"the type of call {call.index} is {call.type!r}, not 'function'")
        if not call.id:
            problems.append(f"call {call.index} has no id")
        if len(call.names_sent) > 1:
            problems.append(f"the name of call {call.index} was sent {len(call.names_sent)} times: {call.names_sent}")
        if len(call.ids_sent) > 1:
            problems.append(f"the id of call {call.index} was sent {len(call.ids_sent)} times")
        if not call.announced:
            problems.append(f"the first piece of call {call.index} lacks its id or name")
    for call_id, times in Counter(call.id for call in reply.tool_calls if call.id).items():
        if times > 1:
            problems.append(f"{times} calls have the same id {call_id!r}")
    if reply.index_order != sorted(reply.index_order):
        problems.append(f"the pieces of the calls are mixed: index order {reply.index_order}")
    findings = [Finding("ProtocolError", problem, mode) for problem in problems]
    if reply.role_count != 1:
        findings.append(Finding("ProtocolError", f"the role was sent {reply.role_count} times", mode, warning=True))
    return findings


def _finish_findings(reply: ChatReply, case: Case, mode: str, expectations: Expectations) -> list[Finding]:
    if len(reply.finish_reasons) != 1:
        return [_finish_count(reply, mode)]
    if reply.tool_calls:
        kind = "auto" if case.kind == "none" else case.kind
        return _judge_reason(reply, expectations.finish_reason(kind, mode), mode)
    if reply.finish_reason == "length" and not case.calls:
        # Our own limit cut a text that need not end: nothing is wrong with the endpoint.
        return [Finding("WrongFinishReason", "the text was cut by max_tokens", mode, warning=True)]
    return _judge_reason(reply, Accepted(_STOP, _STOP), mode)


def _finish_count(reply: ChatReply, mode: str) -> Finding:
    return Finding("WrongFinishReason", f"finish_reason was sent {len(reply.finish_reasons)} times", mode)


def _judge_reason(reply: ChatReply, accepted: Accepted, mode: str) -> list[Finding]:
    if reply.finish_reason in accepted.right:
        return []
    right = " or ".join(map(repr, sorted(accepted.right)))
    if reply.finish_reason in accepted.known:
        message = f"finish_reason is {reply.finish_reason!r}, as other releases say it; this one says {right}"
        return [Finding("WrongFinishReason", message, mode, warning=True)]
    message = f"finish_reason is {reply.finish_reason!r} and must be {right}"
    return [Finding("WrongFinishReason", message, mode)]


def _is_json(text: str) -> bool:
    try:
        parse_arguments(text)
    except ValueError:
        return False
    return True


def _comparable(reply: ChatReply, case: Case) -> list[str]:
    """The calls in a form that is equal when a client would do the same."""
    free = {call.name: call for call in case.calls}
    lines = []
    for call in reply.tool_calls:
        try:
            arguments = parse_arguments(call.arguments)
        except ValueError:
            arguments = call.arguments
        if call.name in free and isinstance(arguments, dict):
            arguments = free[call.name].compared(arguments)
        lines.append(json.dumps([call.name, arguments], sort_keys=True))
    return sorted(lines)
