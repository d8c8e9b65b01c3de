# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for promises that the server does not hold, whatever the model is like."""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import Finding
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Outcome, ProbeResult
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import ParserFault, parser_fault


def _failed(outcome: Outcome, name: str) -> tuple[ProbeResult, Finding] | None:
    """The first failing finding of a class, and the probe that made it."""
    for result in outcome.results:
        for finding in result.findings:
            if finding.name == name and not finding.warning:
                return result, finding
    return None


def _calls_work(outcome: Outcome) -> bool:
    """Whether a question with tools gets an answer at all."""
    return any(
        answer.reply is not None
        for answer in outcome.answers()
        if answer.request.get("tool_choice") == "auto" and answer.request["max_tokens"] == outcome.options.max_tokens
        if len(answer.request["messages"]) == 1
    )


def parser_faults(outcome: Outcome) -> Cause | None:
    """Warnings about faults that the served parser is known for. Source: tests/families, on vLLM 0.32.0."""
    parser = (outcome.options.profile.get("tool_calls") or {}).get("parser", "")
    found: dict[str, ParserFault] = {}
    for result in outcome.results:
        for finding in result.findings if result.verdict == "warn" else ():
            if fault := parser_fault(parser, result.probe.id, finding.name):
                found.setdefault(fault.fault, fault)
    if not found:
        return None
    return Cause(
        f"vLLM's tool call parser {parser}: {'; '.join(found)}",
        "The parser does so whatever the model writes and however it is served. Some agents stumble over it.",
        " ".join(dict.fromkeys(fault.advice for fault in found.values())),
        CERTAIN,
    )


def template_recursion(outcome: Outcome) -> Cause | None:
    """The template never ends on some schema. Source: vLLM's tool_chat_template_hermes.jinja on a type null."""
    found = next((error for error in outcome.errors() if "recursion depth" in f"{error.seen} {error.body}"), None)
    if found is None:
        return None
    return Cause(
        found.seen,
        "The chat template goes round in circles on a parameter of a tool. vLLM's template for Hermes does so on every "
        'type that it does not know, such as null, alone or in ["string", "null"].',
        "Serve with a template that renders schemas as JSON: in this collection tool_calls.chat_template of the "
        "profile, such as hermes_tools.jinja for Hermes.",
        CERTAIN,
    )


def choice_refused(outcome: Outcome) -> Cause | None:
    """Named or required calls are an error, while calls as such arrive."""
    refused = [
        (answer.request["tool_choice"], answer.error)
        for answer in outcome.answers()
        if answer.request.get("tool_choice", "auto") != "auto"
        if answer.error is not None and answer.error.status == 400
    ]
    if not refused or not _calls_work(outcome):
        return None
    choice, error = refused[0]
    name = choice if isinstance(choice, str) else "with a name"
    return Cause(
        f"tool_choice {name}: {error.seen}",
        "The server does not support this value of tool_choice for this model.",
        "Where no client needs it, take it out of capabilities.tool_choice in the profile; otherwise use another "
        "release or tool call parser.",
        LIKELY,
    )


def choice_ignored(outcome: Outcome) -> Cause | None:
    """tool_choice or parallel_tool_calls has no effect."""
    found = _failed(outcome, "ChoiceIgnored")
    if found is None:
        return None
    return Cause(
        f"{found[0].probe.id}: {found[1].message}",
        "The server accepts the option and does not enforce it: an old release, a parser without a grammar, or "
        "VLLM_ENFORCE_STRICT_TOOL_CALLING=0.",
        "Use a release of vLLM and a parser that enforce it (qwen_tools does from vLLM 0.24 on), or say in the "
        "profile's capabilities that the model cannot be told.",
        LIKELY,
    )


def history_refused(outcome: Outcome) -> Cause | None:
    """First turns are answered, and turns with calls and results are an error."""
    refused = [
        answer.error
        for answer in outcome.answers()
        if answer.error is not None and answer.error.kind == "http" and answer.request["messages"][-1]["role"] == "tool"
    ]
    if not refused or not _calls_work(outcome):
        return None
    return Cause(
        f"a conversation with a tool result: {refused[0].seen}",
        "The chat template or the server does not take back the call that was made: no agent gets past its first call.",
        "Serve with the chat template that belongs to the model's tool calling (--chat-template).",
        LIKELY,
    )


def cut_call(outcome: Outcome) -> Cause | None:
    """A call that max_tokens cut looks whole."""
    found = _failed(outcome, "TruncatedCall")
    if found is None:
        return None
    return Cause(
        found[1].message,
        "The tool call parser completes calls that the model did not finish. Agents will act on half an argument.",
        "Use another tool call parser; until then give clients a generous output limit.",
        CERTAIN,
    )


def concurrency(outcome: Outcome) -> Cause | None:
    """What is right alone is wrong beside others."""
    found = _failed(outcome, "ConcurrencyFault")
    if found is None:
        return None
    return Cause(
        found[1].message,
        "Requests share state in the server's tool call parser, as in vLLM's hermes parser before vllm#32506.",
        "Use a newer release of vLLM or another parser; qwen_tools keeps no state between requests.",
        LIKELY,
    )


def tool_id(outcome: Outcome) -> Cause | None:
    """The ids of calls are not those that the model's template takes."""
    found = _failed(outcome, "BadToolId")
    if found is None:
        return None
    return Cause(
        found[1].message,
        "The server makes ids that the chat template of this model refuses in the next turn.",
        "Serve with the template tool_chat_template_mistral_parallel.jinja, which shortens them, or with the "
        "tokenizer mode mistral.",
        LIKELY,
    )


def reasoning_parameters(outcome: Outcome) -> Cause | None:
    """What agents send to models that reason is refused, or spoils the call; also told of a refusal alone.

    Source: validate_request_params in vLLM's tokenizers/mistral.py (0.13 to 0.33), reasoning_effort in its protocol.py.
    """
    found = outcome.findings("ParametersHarm", "ParametersRefused")
    if not found:
        return None
    refused = found[0].name == "ParametersRefused"
    return Cause(
        f"T19-reasoning: {found[0].message}",
        f"The server {'refuses' if refused else 'stumbles over'} parameters for models that reason. An agent whose "
        f"configuration says that this model does sends them with every request{', and every one fails' * refused}.",
        'Tell clients that the model does not reason (OpenCode: "reasoning": false, and no reasoningEffort). If it '
        "does, serve it with its reasoning parser and its own chat template.",
        CERTAIN if refused else LIKELY,
    )


def context_mismatch(outcome: Outcome) -> Cause | None:
    """The context is not what clients were promised, or is cut silently."""
    found = _failed(outcome, "ContextMismatch")
    if found is None:
        return None
    return Cause(
        found[1].message,
        "Clients and server do not agree on the length of the context.",
        "Serve with the --max-model-len that clients are told, or tell them less; a server that cuts prompts silently "
        "needs its own setting for the context raised.",
        CERTAIN,
    )


def unprotected(outcome: Outcome) -> Cause | None:
    """The key protects nothing."""
    found = _failed(outcome, "Unprotected")
    if found is None:
        return None
    return Cause(
        found[1].message,
        "The server, or what stands before it, lets requests pass that carry no valid key.",
        "Use vLLM 0.25.1 or later (0.32.0 where others reach it), and a proxy before it that checks the Host header "
        "and passes on only what clients need.",
        CERTAIN,
    )


def not_healthy(outcome: Outcome) -> Cause | None:
    """The server says so itself."""
    found = _failed(outcome, "NotHealthy")
    if found is None:
        return None
    return Cause(
        found[1].message,
        "The engine has died or is going down, even if the API still answers.",
        "Look into the server's log, and restart it.",
        CERTAIN,
    )
