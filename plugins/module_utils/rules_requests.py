# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for what keeps requests from being answered, whatever they ask for."""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import STREAMED
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Outcome
from ansible_collections.toolserve.gpunode.plugins.module_utils.unserved_model import unserved_model


def _said(outcome: Outcome, *phrases: str) -> EndpointError | None:
    """The first error in which the server says one of the phrases."""
    for error in outcome.errors():
        text = f"{error.seen} {error.body}".lower()
        if any(phrase in text for phrase in phrases):
            return error
    return None


def connection(outcome: Outcome) -> Cause | None:
    """The endpoint cannot be reached, or does not answer in time."""
    for error in outcome.errors():
        if error.kind in ("unreachable", "tls", "config", "timeout"):
            return Cause(error.seen, error.means, error.fix, CERTAIN if error.kind != "timeout" else LIKELY)
    return None


def api_key(outcome: Outcome) -> Cause | None:
    """The key is missing or wrong."""
    error = next((error for error in outcome.errors() if error.status in (401, 403)), None)
    if error is None:
        return None
    return Cause(
        error.seen,
        "The server requires an API key, and the one given is missing or wrong.",
        "Set api_key to the key that the server was started with (VLLM_API_KEY or --api-key).",
        CERTAIN,
    )


def model_name(outcome: Outcome) -> Cause | None:
    """Nothing answers to this model name or at this address."""
    error = next((error for error in outcome.errors() if error.status == 404), None)
    if error is None:
        return None
    return unserved_model(error, outcome.model, outcome.state.served) or Cause(
        error.seen,
        "There is no chat completions API at this address.",
        "Check base_url: it must end in the path under which the server has its /v1.",
        LIKELY,
    )


def missing_flags(outcome: Outcome) -> Cause | None:
    """vLLM without its two flags refuses tool_choice auto."""
    error = _said(outcome, "requires --enable-auto-tool-choice", "--tool-call-parser to be set")
    if error is None:
        return None
    return Cause(
        f"{error.seen}",
        "The server was started without tool calling.",
        "Start vLLM with --enable-auto-tool-choice and --tool-call-parser NAME, where NAME reads the format of this "
        "model; in this collection the profile's tool_calls.parser sets both.",
        CERTAIN,
    )


def context(outcome: Outcome) -> Cause | None:
    """The request is longer than the server's context."""
    error = _said(outcome, "maximum context length", "max_completion_tokens' is too large", "max_model_len")
    if error is None:
        return None
    return Cause(
        error.seen,
        "Prompt, tools and max_tokens together do not fit into the context that the server was given.",
        "Raise --max-model-len, or ask for less with max_tokens. Agents will run into the same limit.",
        CERTAIN,
    )


def server_failure(outcome: Outcome) -> Cause | None:
    """The server answers with an error of its own."""
    error = next((error for error in outcome.errors() if (error.status or 0) >= 500), None)
    if error is None:
        return None
    return Cause(
        error.seen,
        "The server failed while it handled a request: its chat template or its tool call parser raised an error, or "
        "the engine has died.",
        "Look into the server's log for the traceback of this moment.",
        LIKELY,
    )


def broken_stream(outcome: Outcome) -> Cause | None:
    """Streams break, while plain answers may arrive."""
    streamed = [answer.error for answer in outcome.answers(STREAMED) if answer.error is not None]
    broken = next((error for error in streamed if error.kind == "protocol"), None)
    if broken is None:
        return None
    return Cause(
        broken.seen,
        f"Streaming does not work from end to end. {broken.means}",
        broken.fix,
        LIKELY,
    )
