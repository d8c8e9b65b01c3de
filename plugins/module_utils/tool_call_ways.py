# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the probes ask that need more than one question in two modes.

Each takes an :class:`Exam` and its cases, and returns its answers by name, with what it found wrong in them.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_judge as judging
from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import ToolCall, error_in
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import reasons
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_asking import (
    Answer,
    Answers,
    Exam,
    NothingToProveError,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import Case
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_draws import tool_results
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import PLAIN, Finding

# A template that renders even the bare names of twenty tools needs more tokens than this for them.
TOKENS_OF_NO_TOOLS = 10
MISTRAL_ID = r"[A-Za-z0-9]{9}"
# A cut at two thirds of an answer that is one call is inside its arguments.
_CUT_AT = 2 / 3
_CUT_UNKNOWN = 16
# Longer prompts would take minutes on slow hardware and prove nothing more.
_LONGEST_PROMPT = 32768
_FILLER = "a "
_SAMPLE_WORDS = 200
_REASONING: dict[str, dict[str, Any]] = {
    "reasoning_effort": {"reasoning_effort": "medium"},
    "enable_thinking": {"chat_template_kwargs": {"enable_thinking": True}},
}


def unknown_model(exam: Exam, cases: list[Case]) -> Answers:
    """A model that is not served is refused, in a form that clients can show."""
    answer = exam.ask_unjudged(cases[0], PLAIN, model="no-such-model")
    answer.findings = []
    if answer.error is None:
        message = "a model that is not served was answered for: the server ignores the name"
        answer.findings = [Finding("WrongAnswer", message, PLAIN, warning=True)]
    elif answer.error.status not in (400, 404, 422) or not _is_told(answer.error):
        message = f"an unknown model must be refused with HTTP 404 and an error object, not with {answer.error.seen}"
        answer.findings = [Finding("ProtocolError", message, PLAIN, answer.error.body)]
    answer.error, answer.refusal = None, answer.error
    return {PLAIN: answer}


def _is_told(error: EndpointError) -> bool:
    try:
        return error_in(json.loads(error.body)) is not None
    except ValueError:
        return False


def cut_off(exam: Exam, cases: list[Case]) -> Answers:
    """max_tokens ends a call in the middle: nobody may take it for a whole one."""
    case = cases[0]
    whole = exam.ask(case, exam.agent_mode)
    answers = {"whole": whole}
    if whole.reply is None:
        return answers
    length = whole.reply.tokens("completion")
    limit = int(length * _CUT_AT) if length else _CUT_UNKNOWN
    for mode in exam.modes:
        answers[mode] = answer = exam.ask_unjudged(case, mode, max_tokens=max(limit, 1))
        if answer.reply is not None:
            answer.findings = judging.judge_cut(answer.reply, case, mode, exam.expectations)
    return answers


def at_once(exam: Exam, cases: list[Case]) -> Answers:
    """All questions at the same moment; each must get its own answer, as if it were alone.

    What goes wrong for a few is asked again alone: what is as wrong then is the model's doing and proven elsewhere.
    """
    mode = exam.agent_mode
    with ThreadPoolExecutor(len(cases)) as pool:
        given = list(pool.map(lambda case: exam.ask(case, mode), cases))
    answers = {f"{mode} {number}": answer for number, answer in enumerate(given, 1)}
    wrong = [(number, answer) for number, answer in enumerate(given, 1) if answer.findings]
    for number, answer in wrong:
        if others := _calls_of_another(answer, cases, cases[number - 1]):
            answer.findings.insert(0, Finding("ConcurrencyFault", f"another request's call arrived: {others}", mode))
    if len(wrong) > len(cases) / 2:
        return answers
    for number, answer in wrong:
        alone = exam.ask(cases[number - 1], mode)
        answers[f"{mode} {number}, alone"] = alone
        if not alone.findings:
            message = f"right alone, and wrong beside {len(cases) - 1} others: {answer.findings[0].message}"
            answer.findings.insert(0, Finding("ConcurrencyFault", message, mode))
        elif {found.name for found in alone.findings} == {found.name for found in answer.findings}:
            answer.findings = alone.findings = []
    return answers


def _calls_of_another(answer: Answer, cases: list[Case], own: Case) -> str:
    made = [_signature(call) for call in answer.reply.tool_calls] if answer.reply else []
    others = [str(call) for case in cases if case is not own for call in case.calls]
    return " and ".join(call for call in made if call in others)


def _signature(call: ToolCall) -> str:
    try:
        return f"{call.name}({json.dumps(judging.parse_arguments(call.arguments), ensure_ascii=False)})"
    except ValueError:
        return ""


def own_id(exam: Exam, cases: list[Case]) -> Answers:
    """A whole turn of an agent: the call that the server made is replayed with its result."""
    case = cases[0]
    answers: Answers = {}
    for mode in exam.modes:
        answers[mode] = asked = exam.ask(case, mode)
        if asked.reply is None or not asked.reply.tool_calls or asked.findings:
            continue
        calls = asked.reply.tool_calls
        asked.findings = _id_findings(exam, calls, mode)
        history = [
            {
                "role": "assistant",
                "content": asked.reply.content or None,
                "tool_calls": [call.as_dict() for call in calls],
            },
            *tool_results([call.id for call in calls], [f"The access code is {case.contains[0]}"] * len(calls)),
        ]
        replayed = Case([*case.messages, *history], contains=case.contains)
        answers[f"{mode}, replayed"] = exam.ask(replayed, mode)
    return answers


def _id_findings(exam: Exam, calls: list[ToolCall], mode: str) -> list[Finding]:
    if (exam.profile.get("tool_calls") or {}).get("parser") != "mistral":
        return []
    bad = [call.id for call in calls if not re.fullmatch(MISTRAL_ID, call.id)]
    message = f"the id {', '.join(map(repr, bad))} is not one that Mistral's template takes back ({MISTRAL_ID})"
    return [Finding("BadToolId", message, mode)] if bad else []


def prompt_with_tools(exam: Exam, cases: list[Case]) -> Answers:
    """Tools make the prompt longer, or the template does not render them."""
    case = cases[0]
    without = exam.ask_unjudged(Case(case.messages, tools=()), PLAIN, max_tokens=1)
    offered = exam.ask_unjudged(case, PLAIN, max_tokens=1)
    answers = {"without tools": without, PLAIN: offered}
    if without.reply is None or offered.reply is None:
        return answers
    before, after = without.reply.tokens("prompt"), offered.reply.tokens("prompt")
    if before is None or after is None:
        raise NothingToProveError("the server does not say how many tokens a prompt has")
    offered.seen = f"{before} tokens without tools, {after} with {len(case.tools)}"
    if after - before <= TOKENS_OF_NO_TOOLS:
        message = f"offering {len(case.tools)} tools adds {after - before} tokens to the prompt"
        offered.findings = [Finding("ToolsNotRendered", message, PLAIN)]
    return answers


def large_max_tokens(exam: Exam, cases: list[Case]) -> Answers:
    """As clients without limits ask: max_tokens just below and just above the whole context."""
    context = _context(exam)
    limits = (("below", context - 1, "too many with the prompt"), ("above", context + 1, "too many alone"))
    answers = {}
    for name, limit, question in limits:
        answers[name] = answer = exam.ask_unjudged(cases[0], PLAIN, max_tokens=limit)
        accepted = exam.expectations.accepted(f"max_tokens, {question}")
        if answer.reply is not None:
            done = "clamped"
        elif answer.error is not None and answer.error.status == 400:
            done = "refused"
            answer.error, answer.refusal = None, answer.error
        else:
            continue
        answer.findings = []
        answer.seen = f"max_tokens {limit} in a context of {context}: {done}"
        if done not in accepted.right:
            right = " or ".join(sorted(accepted.right))
            message = f"max_tokens {limit} in a context of {context} is {done}; this release has it {right}"
            answer.findings = [Finding("ContextMismatch", message, PLAIN, warning=True)]
    return answers


def filled_context(exam: Exam, cases: list[Case]) -> Answers:
    """A prompt as long as clients may send it still gets an answer."""
    context = _context(exam)
    limits = exam.profile.get("context") or {}
    promised = limits.get("maximum") or context
    if promised > context:
        return _broken_promise(f"the profile promises clients {promised} tokens, and the server has {context}")
    if (limits.get("output") or 0) >= promised:
        message = f"the profile lets clients ask for an answer of {limits['output']} tokens in a context of {promised}"
        return _broken_promise(message)
    output = min(limits.get("output") or exam.max_tokens, promised // 2)
    wanted = min(promised - output, _LONGEST_PROMPT)
    sample = min(_SAMPLE_WORDS, wanted // 4)
    short, longer = (exam.ask_unjudged(_filled(cases[0], words), PLAIN, max_tokens=1) for words in (0, sample))
    answers = {"measured": longer if short.error is None else short}
    if short.reply is None or longer.reply is None:
        return answers
    empty, filled = short.reply.tokens("prompt"), longer.reply.tokens("prompt")
    if empty is None or filled is None or filled <= empty:
        raise NothingToProveError("the server does not say how many tokens a prompt has")
    words = max(0, int((wanted - empty) * sample / (filled - empty)))
    answers[PLAIN] = full = exam.ask_unjudged(_filled(cases[0], words), PLAIN, max_tokens=output)
    if full.reply is not None:
        full.seen = f"a prompt of {full.reply.tokens('prompt')} tokens, {output} left: {judging.describe(full.reply)}"
        if not full.reply.content.strip() and not full.reply.reasoning.strip() and not full.reply.tool_calls:
            full.findings = [Finding("WrongAnswer", "a long prompt within the limits gets an empty answer", PLAIN)]
    return answers


def _broken_promise(message: str) -> Answers:
    return {PLAIN: Answer({}, seen=message, findings=[Finding("ContextMismatch", message, "")])}


def overfilled_context(exam: Exam, cases: list[Case]) -> Answers:
    """A prompt longer than the context is refused with a message that clients understand, not cut silently."""
    context = _context(exam)
    # No tokenizer has fewer tokens than words of one letter, told apart by their number.
    words = " ".join(str(number) for number in range(context + 1))
    answer = exam.ask_unjudged(Case([{"role": "user", "content": words}], tools=()), PLAIN, max_tokens=1)
    if answer.error is None:
        message = f"a prompt of more than the {context} tokens of the context is answered: a part of it was left out"
        answer.findings = [Finding("ContextMismatch", message, PLAIN)]
        return {PLAIN: answer}
    told = re.search(r"context|too long|maximum|max_model_len|token", f"{answer.error.seen} {answer.error.body}", re.I)
    if answer.error.status in (400, 413, 422):
        answer.error, answer.refusal, answer.findings = None, answer.error, []
        if not told:
            message = f"a prompt that is too long is refused without saying so: {answer.describe()}"
            answer.findings = [Finding("ProtocolError", message, PLAIN)]
    return {PLAIN: answer}


def reasoning_parameters(exam: Exam, cases: list[Case]) -> Answers:
    """As agents ask whose configuration says that the model reasons: the call must be the same as without.

    vLLM ignores what the chat template does not know, takes it (0.9.2 to 0.33.0), or refuses it with HTTP 400 (with
    Mistral's tokenizer, or an effort that the release does not list); what a template does with it is its own affair.
    """
    case, mode = cases[0], exam.agent_mode
    answers = {name: exam.ask(case, mode, **sent) for name, sent in _REASONING.items()}
    wrong = {name: answer for name, answer in answers.items() if _fails(answer)}
    if not wrong:
        return answers
    answers["without"] = without = exam.ask(case, mode)
    if _fails(without):
        raise NothingToProveError(f"without parameters for reasoning it is wrong too: {without.describe()}")
    for name, answer in wrong.items():
        seen = answer.describe() if answer.error else answer.findings[0].message
        found = Finding("ParametersHarm", f"right without {name}, and wrong with it: {seen}", mode)
        if answer.error is not None and answer.error.status in (400, 422):
            found = Finding("ParametersRefused", f"{name}: {seen}", mode, warning=not reasons(exam.profile))
        # That the server answers is shown: the error is about these parameters.
        answer.error, answer.refusal = None, answer.error
        answer.findings = [found, *(answer.findings if answer.reply else [])]
    return answers


def _fails(answer: Answer) -> bool:
    return any(not finding.warning for finding in answer.findings)


def _filled(case: Case, words: int) -> Case:
    text = _FILLER * words + case.messages[-1]["content"]
    return Case([{"role": "user", "content": text}], tools=())


def _context(exam: Exam) -> int:
    if exam.context is None:
        raise NothingToProveError("the server does not say how long its context is")
    return exam.context


def endpoint(exam: Exam, _cases: list[Case]) -> Answers:
    """What the endpoint says of itself."""
    state = exam.state
    answer = Answer({"GET": "/health, /version, /v1/models, /metrics"})
    if state.error is not None:
        answer.error = state.error
        answer.findings = judging.judge_error(state.error, "")
        return {"endpoint": answer}
    parts = [f"serves {', '.join(state.served) or 'no model'}"]
    if exam.context:
        parts.append(f"context of {exam.context} tokens")
    parts.append(f"vLLM {state.version}" if state.version else "no vLLM version")
    parts.append("metrics" if _has_metrics(exam) else "no metrics")
    answer.seen = ", ".join(parts)
    if not state.healthy:
        answer.findings.append(Finding("NotHealthy", "/health says that the server is not healthy", ""))
    if not state.served:
        answer.findings.append(Finding("ProtocolError", "/v1/models lists no model", ""))
    elif exam.model not in state.served:
        message = f"/v1/models does not list the model {exam.model!r}, but {', '.join(state.served)}"
        answer.findings.append(Finding("ProtocolError", message, "", warning=True))
    return {"endpoint": answer}


def _has_metrics(exam: Exam) -> bool:
    try:
        return exam.client.status("/metrics") == 200
    except EndpointError:
        return False


def access(exam: Exam, _cases: list[Case]) -> Answers:
    """Who has no key gets in nowhere."""
    client = exam.client
    if not client.has_key:
        if client.on_loopback:
            raise NothingToProveError("no API key is used, and the address is this machine's own")
        answer = Answer({"GET": "/v1/models"}, seen="answers without a key")
        message = "no API key is needed: everyone who reaches this address can use the model"
        answer.findings = [Finding("Unprotected", message, "", warning=True)]
        return {"without a key": answer}
    answers = {}
    asked = (
        ("without a key", "/v1/models", None),
        ("with a crafted Host header", "/v1/models", "localhost/?"),
        ("without a key, /metrics", "/metrics", None),
        ("without a key, /invocations", "/invocations", None),
        ("without a key, /tokenize", "/tokenize", None),
    )
    for name, path, host in asked:
        answers[name] = answer = Answer({"GET": path, "host": host})
        try:
            status = client.status(path, authenticate=False, host=host)
        except EndpointError as error:  # no answer is no way in
            answer.seen = f"{path}: {error.seen}"
        else:
            answer.seen = f"{path}: HTTP {status}"
            answer.findings = _access_findings(exam, path, host, status)
    return answers


def _access_findings(exam: Exam, path: str, host: str | None, status: int) -> list[Finding]:
    """On loopback vLLM's unguarded paths are nobody's business; elsewhere a proxy has to guard them."""
    if not (200 <= status < 300 or status == 405):  # 405: there, though not for GET
        return []
    if path != "/v1/models":
        message = f"{path} is reachable without the key (HTTP {status})"
        return [] if exam.client.on_loopback else [Finding("Unprotected", message, "", warning=True)]
    if host is None:
        return [Finding("Unprotected", f"{path} answers without the key (HTTP {status})", "")]
    message = f"a crafted Host header gets past the API key (CVE-2026-48746): {path} answers HTTP {status}"
    harmless = exam.client.on_loopback and "admitted" in exam.expectations.accepted("crafted host header").right
    return [Finding("Unprotected", message, "", warning=harmless)]
