# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for tool calls that do not arrive, or arrive broken, although the server answers."""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import ChatReply
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_asking import Answer
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import PLAIN, STREAMED, is_cut
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_markup import (
    MarkupFamily,
    find_markup,
    parser_of_model,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Outcome

# No layout of JSON has so much white space in one place.
RUNAWAY_SPACES = 40


def markup_left(outcome: Outcome) -> Cause | None:
    """The parser does not read what the model writes: the failure that this project began with."""
    leaks = [
        (answer.request["stream"], markup.family)
        for answer in outcome.answers()
        if answer.reply is not None
        if any(finding.name == "MarkupLeak" and not finding.warning for finding in answer.findings)
        if (markup := find_markup(answer.reply.content, _tool_names(answer))) is not None
    ]
    if not leaks:
        return None
    leaks = [leak for leak in leaks if leak[1].is_call] or leaks  # calls matter more than reasoning
    family = leaks[0][1]
    if not family.is_call:
        return Cause(
            f"{family.name} is left in the text of the answer",
            "The model reasons, and the server has no reasoning parser for it.",
            "Start vLLM with the --reasoning-parser of this model family.",
            LIKELY,
        )
    leaking = {stream for stream, _family in leaks}
    if _modes_with_calls(outcome) - leaking:
        return Cause(
            f"{family.name} is left in the text, but only when {'' if True in leaking else 'not '}streaming",
            "The server's tool call parser reads this format in one of the two modes only.",
            _parser_advice(family, outcome),
            LIKELY,
        )
    return Cause(
        f"The model's tool call is left in the text as {family.name}, and tool_calls lacks it",
        f"The server's tool call parser does not read the format that the model writes ({family.name}, as "
        f"{family.written_by} do).",
        _parser_advice(family, outcome),
        CERTAIN,
    )


def _modes_with_calls(outcome: Outcome) -> set[bool]:
    """The modes, streamed or not, in which calls arrive that the model makes of its own accord."""
    return {
        answer.request["stream"]
        for answer in outcome.answers()
        if answer.reply is not None and answer.reply.tool_calls and answer.request.get("tool_choice", "auto") == "auto"
    }


def _parser_advice(family: MarkupFamily, outcome: Outcome) -> str:
    known = _parser_by_name(outcome)
    if known in family.parsers:
        parser: str | None = known
    elif known == "qwen_tools" and "hermes" in family.parsers and "qwen_tools" not in family.parsers:
        parser = None  # Qwen2.5 has no tags that could get lost: it wrote none
    else:
        parser = "qwen_tools" if "qwen_tools" in family.parsers else next(iter(family.parsers), None)
    if parser == "qwen_tools":
        hint = "hermes reads only <tool_call>; " if family.name == "<tools>" else ""
        return (
            "Serve the model with --enable-auto-tool-choice --tool-call-parser qwen_tools "
            f"--tool-parser-plugin PATH/qwen_tools.py ({hint}qwen_tools reads <tools> and <tool_call>). In this "
            "collection: set tool_calls.parser in the profile to qwen_tools."
        )
    if parser:
        others = [other for other in family.parsers if other != parser]
        unsure = f" Other models write the same for the parser {' or '.join(others)}." if others and not known else ""
        return (
            f"Serve the model with --enable-auto-tool-choice --tool-call-parser {parser}. In this "
            f"collection: set tool_calls.parser in the profile to {parser}.{unsure}"
        )
    return (
        "No parser of vLLM reads this. Give the model a chat template that asks for a format which a parser reads, "
        "such as qwen_tools.jinja (qwen_coder_tools.jinja for Qwen2.5-Coder) with the parser qwen_tools, "
        "or serve another model."
    )


def _parser_by_name(outcome: Outcome) -> str | None:
    listed = next((model for model in outcome.state.models if model.get("id") == outcome.model), {})
    model = outcome.options.profile.get("model") or {}
    return parser_of_model(outcome.model, listed.get("root"), model.get("id"))


def _tool_names(answer: Answer) -> frozenset[str]:
    return frozenset(tool["function"]["name"] for tool in answer.request.get("tools", []))


def truncated(outcome: Outcome) -> Cause | None:
    """The limit on tokens cut a call."""
    limit = outcome.options.max_tokens
    for result in outcome.results:
        for answer in result.answers.values() if result.verdict == "fail" else ():
            reply = answer.reply
            if reply is None or answer.request.get("max_tokens") != limit:  # other limits cut on purpose
                continue
            if is_cut(reply) or reply.tokens("completion") == limit:
                length = reply.tokens("completion") or limit
                symptom = f"{result.probe.id}: the answer ends after {length} tokens"
                if _ends_in_spaces(reply):
                    return _runaway(symptom)
                if length >= limit:
                    return _too_short(symptom, limit)
                context, prompt = outcome.state.context(outcome.model), reply.tokens("prompt")
                if context is not None and prompt is not None and prompt + length >= context:
                    return _context_full(f"{symptom}, to a prompt of {prompt}", context)
                return _limited_elsewhere(f"{symptom}, and {limit} were asked for")
    return None


def _too_short(symptom: str, limit: int) -> Cause:
    return Cause(
        symptom,
        f"The answer was cut by max_tokens ({limit}) before it was complete.",
        "Raise max_tokens. If the model does not come to an end at all, its chat template or its end token is wrong.",
        LIKELY,
    )


def _context_full(symptom: str, context: int) -> Cause:
    return Cause(
        symptom,
        f"Prompt and answer fill the context of {context} tokens that the server was given.",
        "Raise --max-model-len. Agents send prompts that are far longer.",
        CERTAIN,
    )


def _limited_elsewhere(symptom: str) -> Cause:
    return Cause(
        symptom,
        "The server, or something before it, allows fewer tokens than were asked for.",
        "Look for max_new_tokens in the model's generation_config.json and in vLLM's --override-generation-config, and "
        "for the limits of a proxy.",
        LIKELY,
    )


def _runaway(symptom: str) -> Cause:
    return Cause(
        f"{symptom}, most of them white space",
        "The grammar that enforces the call lets white space go on for ever, and the model does.",
        # On 0.32.0 vLLM's disable_any_whitespace does not reach the grammars of tool call parsers.
        "Use a parser whose grammar limits it, as qwen_tools does, or a stronger model.",
        LIKELY,
    )


def _ends_in_spaces(reply: ChatReply) -> bool:
    texts = [reply.content, *(call.arguments for call in reply.tool_calls)]
    return any(len(text) - len(text.rstrip()) > RUNAWAY_SPACES for text in texts)


def lost_in_stream(outcome: Outcome) -> Cause | None:
    """Calls arrive in one piece, but not, or not the same, when streamed."""
    for result in outcome.results:
        if not any(finding.name == "StreamMismatch" for finding in result.findings):
            continue
        plain, streamed = (result.answers[mode].reply for mode in (PLAIN, STREAMED))  # as compared
        if plain is None or streamed is None:
            continue
        arrived, left = len(plain.tool_calls), len(streamed.tool_calls)
        if left < arrived:
            symptom = f"{arrived} call(s) arrive in one piece, {left} when streamed"
            cause = "The streaming half of the server's tool call parser loses calls. Agents stream, so they see none."
        else:
            symptom = "the streamed calls are not those that arrive in one piece"
            cause = "The streaming half of the server's tool call parser changes calls, and agents stream."
        return Cause(
            f"{result.probe.id}: {symptom}",
            cause,
            "Use a vLLM release or a parser whose streaming works for this model; qwen_tools is tested for both ways.",
            LIKELY,
        )
    return None


def broken_protocol(outcome: Outcome) -> Cause | None:
    """The calls are right, and clients may stumble all the same."""
    broken = [
        finding
        for finding in outcome.findings("ProtocolError", "WrongFinishReason")
        if not finding.warning and not finding.message.startswith("finish_reason is 'length'")
    ]
    if not broken or outcome.findings("MarkupLeak", "InvalidJson"):
        return None
    return Cause(
        f"{broken[0].message} ({broken[0].mode})",
        "The server does not hold to the protocol of tool calls. Clients put streamed calls together by index, take id "
        "and name from the first piece, and go by finish_reason: some will fail here although the call is right.",
        "Use another vLLM release or another tool call parser; a proxy that rewrites answers may also do this.",
        LIKELY,
    )


def one_call_only(outcome: Outcome) -> Cause | None:
    """Some of several calls arrive, in both modes."""
    for result in outcome.results:
        counts = {len(answer.reply.tool_calls) for answer in result.answers.values() if answer.reply is not None}
        if {finding.name for finding in result.findings} == {"MissingToolCalls"} and len(counts) == 1 and counts != {0}:
            return Cause(
                f"{result.probe.id}: only {counts.pop()} of several calls arrives, streamed or not",
                "The model makes one call at a time, or the parser reads only the first.",
                "If the model family does not call in parallel, set capabilities.parallel to false in the profile; "
                "otherwise use a parser that reads several calls.",
                POSSIBLE,
            )
    return None


def copied_badly(outcome: Outcome) -> Cause | None:
    """Sound calls with other values than asked for."""
    wrong = outcome.findings("WrongArguments")
    if not wrong or outcome.findings("StreamMismatch"):
        return None
    return Cause(
        wrong[0].message,
        "The model does not copy values exactly. It is too small or too coarsely quantised, or a repetition penalty "
        "that the server takes from the model's generation_config.json drives it away from the words of the question.",
        "Serve with --generation-config vllm, or use a stronger model. Agents will hit wrong paths with this one.",
        POSSIBLE,
    )


def wrong_answer(outcome: Outcome) -> Cause | None:
    """Text that is missing, or ignores a tool's result."""
    results = [
        result for result in outcome.results if any(f.name == "WrongAnswer" and not f.warning for f in result.findings)
    ]
    if not results:
        return None
    first = results[0]
    if first.case is not None and first.case.contains:
        return Cause(
            f"{first.probe.id}: the answer does not use the tool's result",
            "The chat template does not render messages of the role tool, or the model ignores them.",
            "Serve with the chat template that belongs to the model's tool calling (--chat-template).",
            POSSIBLE,
        )
    return Cause(
        f"{first.probe.id}: the answer is empty",
        "The model ends at once, as it does with a chat template of another model, or all its text went into "
        "reasoning.",
        "Check the chat template and the reasoning parser.",
        POSSIBLE,
    )


def template_without_tools(outcome: Outcome) -> Cause | None:
    """Offering tools costs no prompt tokens: the model never saw them."""
    silent = outcome.findings("ToolsNotRendered")
    if not silent:
        return None
    return Cause(
        silent[0].message,
        "The chat template ignores tools, so the model does not know that it has any.",
        "Serve with a chat template that renders tools (--chat-template); "
        "in this collection the profile's tool_calls.chat_template.",
        CERTAIN,
    )


def never_calls(outcome: Outcome) -> Cause | None:
    """The model sees tools and calls none."""
    missing = [
        result
        for result in outcome.results
        if result.verdict == "fail" and {finding.name for finding in result.findings} == {"MissingToolCalls"}
        if not any(answer.reply.tool_calls for answer in result.answers.values() if answer.reply is not None)
    ]
    if not missing or template_without_tools(outcome) is not None:
        return None
    return Cause(
        f"{', '.join(result.probe.id for result in missing)}: the model answers in text and makes no attempt at a call",
        "The model does not decide for a tool: it is not trained for tool calls, too small, its chat template does not "
        "tell it how, or the sampling values of its generation_config.json are not its maker's newest.",
        "Check that the model supports tool calling, that its chat template is the one for tools, and that its files "
        "are up to date; if it calls with simpler tools only, the schemas of the others are too complex for it.",
        POSSIBLE,
    )


def bad_arguments(outcome: Outcome) -> Cause | None:
    """Calls arrive, but not as the tools ask for them."""
    bad = outcome.findings("InvalidJson", "SchemaMismatch", "UnknownName")
    if not bad or truncated(outcome) is not None:
        return None
    modes = {finding.mode for finding in bad}
    if modes == {STREAMED}:
        return Cause(
            bad[0].message,
            "The call is sound in one piece and broken when streamed: the streaming half of the parser is at fault.",
            "Use a vLLM release or a parser whose streaming works for this model.",
            LIKELY,
        )
    return Cause(
        bad[0].message,
        "The model writes calls that do not hold to the tools it is offered, or the parser takes them apart wrongly.",
        "Compare the evidence with the model's raw output; enforce schemas with --tool-strict-level (vLLM 0.31 and "
        "later), or use a stronger model.",
        POSSIBLE,
    )
