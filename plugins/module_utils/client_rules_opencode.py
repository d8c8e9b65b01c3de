# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What will break when OpenCode works with an endpoint by this file: symptom, cause, fix.

A rule looks at the file beside the endpoint and names a cause, or nothing; those that stop every request come first.
What OpenCode does is that of 1.18.33, read in its source and seen in tests/e2e/test_opencode_files.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.toolserve.gpunode.plugins.module_utils import client_limits, client_opencode
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_opencode import Provider, mapping
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release

_REFERENCE = re.compile(r"\{(env|file):[^}]+\}")


@dataclass(frozen=True)
class Comparison:
    """``model``: the name in the file, of which everything else is judged; None where it names none.
    ``reasoning``: whether the served model reasons; None where that is not known."""

    document: Mapping[str, Any]
    provider: Provider
    model: str | None
    state: EndpointState
    reasoning: bool | None = None
    agent_prompt: int = client_limits.AGENT_PROMPT

    @property
    def place(self) -> str:
        """Where the model stands in the file."""
        return f"provider.{self.provider.name}.models.{self.model}"

    @property
    def entry(self) -> Mapping[str, Any]:
        return mapping(self.provider.models.get(self.model or ""))

    @property
    def sent_name(self) -> str:
        """The name that goes to the server: a model's ``id``, where it has one."""
        return str(self.entry.get("id") or self.model)

    @property
    def server(self) -> int | None:
        """The server's max_model_len."""
        return self.state.context(self.sent_name) or (
            self.state.context(self.state.served[0]) if self.state.served else None
        )

    def limit(self, name: str) -> int | None:
        """``limit.context``, ``limit.output`` or ``limit.input``; None where it is not a number."""
        value = mapping(self.entry.get("limit")).get(name)
        return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def address(it: Comparison) -> Cause | None:
    """The file leads elsewhere, or by another scheme."""
    told, real = it.provider.base_url, it.state.base_url
    where = f"provider.{it.provider.name}.options.baseURL"
    fix = f"Set {where} to {real}."
    if not told:
        return Cause(f"{where} is missing", "Without it OpenCode does not know where the server is.", fix, CERTAIN)
    if told.startswith("{"):
        return None  # a reference; what it holds is known to its owner's environment only
    one, other = urlsplit(told), urlsplit(real)
    if one.scheme != other.scheme and one.hostname == other.hostname:
        return Cause(
            f"{where} is {told}, and the server answers by {other.scheme}",
            f"The server at this address does not speak {one.scheme}, so that no request arrives.",
            fix,
            CERTAIN,
        )
    if not one.path.rstrip("/").endswith("/v1") and one.netloc == other.netloc:
        return Cause(
            f"{where} is {told}, without /v1",
            "OpenCode puts /chat/completions right behind it; the server has that under /v1 only and answers 404.",
            fix,
            CERTAIN,
        )
    if told.rstrip("/") != real.rstrip("/"):
        return Cause(
            f"{where} is {told}, and the endpoint that was looked at is {real}",
            "The file leads to another address.",
            f"{fix} Where both lead to the same server, nothing is wrong.",
            POSSIBLE,
        )
    return None


def api_key(it: Comparison) -> Cause | None:
    """No key for a server that wants one."""
    given = it.provider.options.get("apiKey")
    if given or not it.state.auth_required:
        return None
    return Cause(
        f"provider.{it.provider.name}.options.apiKey is missing, and the server wants a key",
        "Every request is refused with HTTP 401.",
        'Add "apiKey": "{env:VLLM_API_KEY}", and put the key into that variable of the environment.',
        LIKELY,  # OpenCode may have been given one by `opencode auth login`
    )


def model_name(it: Comparison) -> Cause | None:
    """The name that is sent is not served."""
    served = it.state.served
    if it.model is None:
        return Cause(
            f"provider.{it.provider.name}.models names no model",
            "OpenCode offers no model of this server.",
            f"Add the served name {' or '.join(served)} there, with its limit.",
            CERTAIN,
        )
    if not served or it.sent_name in served:
        return None
    return Cause(
        f"the file asks for {it.sent_name}, and the server serves {', '.join(served)}",
        "Every request is refused with HTTP 404.",
        f"Rename {it.place} to {served[0]}, and the setting model to {it.provider.name}/{served[0]}.",
        CERTAIN,
    )


def limit_missing(it: Comparison) -> Cause | None:
    """No limit at all: 32000 tokens of answer are asked for, and nothing is ever compacted."""
    if it.model is None or "limit" in it.entry:
        return None
    server, asked = it.server, client_limits.AGENT_OUTPUT
    cause = f"OpenCode then asks for {asked} tokens of answer, "
    if server is not None and server < asked:
        cause += f"and the server holds {server} for prompt and answer: every request is refused with HTTP 400."
    else:
        cause += "and never compacts its conversation, so that a long one is refused or cut."
    return Cause(f"{it.place}.limit is missing", cause, f'Add "limit": {_good_limit(it)}.', CERTAIN)


def limit_incomplete(it: Comparison) -> Cause | None:
    """OpenCode refuses a file whose limit lacks a half."""
    if it.model is None or "limit" not in it.entry:
        return None
    missing = [name for name in ("context", "output") if it.limit(name) is None]
    if not missing:
        return None
    return Cause(
        f"{it.place}.limit.{missing[0]} is missing or no number",
        'OpenCode refuses the whole file: "Configuration is invalid".',
        f'Write "limit": {_good_limit(it)}.',
        CERTAIN,
    )


def output_too_long(it: Comparison) -> Cause | None:
    """An answer that does not fit, whatever the prompt."""
    output, server = it.limit("output"), it.server
    if output is None or server is None or it.limit("context") is None:
        return None
    asked = client_limits.requested_output(output)
    if asked <= server:  # with as many, vLLM from 0.32 on takes what the prompt leaves
        return None
    return Cause(
        f"{it.place}.limit.output is {output}, and the server holds {server} tokens for prompt and answer",
        f"OpenCode asks for {asked} tokens of answer with every request; each is refused with HTTP 400.",
        f'Write "limit": {_good_limit(it)}.',
        CERTAIN,
    )


def context_too_long(it: Comparison) -> Cause | None:
    """More is promised than the server holds."""
    context, server = it.limit("context"), it.server
    if context is None or server is None or context <= server or output_too_long(it) is not None:
        return None
    return Cause(
        f"{it.place}.limit.context is {context}, and the server holds {server} tokens",
        f"OpenCode compacts at {_compaction(it)} tokens, which is too late: before that the server refuses its "
        "requests (HTTP 400), or from vLLM 0.32 on cuts the answers short.",
        f'Write "limit": {_good_limit(it)}.',
        CERTAIN,
    )


def never_compacts(it: Comparison) -> Cause | None:
    """A context of 0, or compaction switched off: the conversation grows until the server refuses it."""
    if it.limit("context") is None:
        return None
    off = mapping(it.document.get("compaction")).get("auto") is False
    if not off and it.limit("context"):
        return None
    what = "compaction.auto is false" if off else f"{it.place}.limit.context is 0"
    return Cause(
        what,
        "OpenCode never compacts; a conversation that has reached the server's context is refused from then on.",
        "Remove compaction.auto." if off else f'Write "limit": {_good_limit(it)}.',
        CERTAIN,
    )


def no_room(it: Comparison) -> Cause | None:
    """The conversation has no room beside the agent's own prompt."""
    point, context, server = _compaction(it), it.limit("context"), it.server
    if not context or it.limit("output") is None or point is None or point > it.agent_prompt:
        return None
    if server is not None and (context > server or output_too_long(it)):
        return None  # told already
    return Cause(
        f"{it.place}.limit leaves {point} tokens for the conversation",
        f"OpenCode's own prompt takes about {it.agent_prompt} tokens, so that it compacts after every answer and gets "
        "nowhere.",
        f'Write "limit": {_good_limit(it)}.',
        LIKELY,
    )


def no_margin(it: Comparison) -> Cause | None:
    """Nothing is left for what a tool returns."""
    context, output, server = it.limit("context"), it.limit("output"), it.server
    if not context or not output or server is None or it.limit("input"):
        return None
    least = client_limits.default_margin(server) // 2
    if not 0 <= server - context < least:
        return None
    return Cause(
        f"{it.place}.limit.context leaves {server - context} of the server's {server} tokens free",
        "OpenCode compacts after an answer only. A result of a tool that comes then can be too much for the server.",
        f'Write "limit": {_good_limit(it)}.',
        POSSIBLE,
    )


def reasoning(it: Comparison) -> Cause | None:
    """The file says that the model reasons, and it does not, or the other way round."""
    told = it.entry.get("reasoning")
    if told is not True or it.reasoning is not False:
        return None
    return Cause(
        f"{it.place}.reasoning is true, and the model does not reason",
        f"OpenCode sends reasoning_effort with its requests for titles and with every variant. {_effort(it)}",
        f"Set {it.place}.reasoning to false, or remove it.",
        CERTAIN,
    )


def tool_call(it: Comparison) -> Cause | None:
    """The file says that the model cannot call tools."""
    if it.entry.get("tool_call") is not False:
        return None
    return Cause(
        f"{it.place}.tool_call is false",
        "It says that the model cannot call tools. OpenCode 1.18 offers them all the same; its plugins and other "
        "programs that read the file do not.",
        f"Set {it.place}.tool_call to true.",
        POSSIBLE,
    )


def package(it: Comparison) -> Cause | None:
    """Another API than chat completions."""
    if it.provider.package == client_opencode.PACKAGE:
        return None
    responses = it.provider.package == "@ai-sdk/openai"
    release = parse_release(it.state.version)
    refused = responses and release is not None and release < (0, 10, 0)
    return Cause(
        f"provider.{it.provider.name}.npm is {it.provider.package}",
        "It speaks the Responses API, which vLLM has from 0.10.0 on; the tool calls of chat completions are the ones "
        "that were proven."
        if responses
        else "It is not the package for OpenAI-compatible servers.",
        f"Set provider.{it.provider.name}.npm to {client_opencode.PACKAGE}.",
        CERTAIN if refused else POSSIBLE,
    )


def secret_in_file(it: Comparison) -> Cause | None:
    """The key itself is in the file."""
    given = it.provider.options.get("apiKey")
    if not isinstance(given, str) or not given or _REFERENCE.fullmatch(given):
        return None
    return Cause(
        f"provider.{it.provider.name}.options.apiKey holds a key",
        "Everybody who reads the file has the key; it gets into backups and repositories.",
        'Write "{env:VLLM_API_KEY}" instead, and put the key into that variable of the environment.',
        CERTAIN if it.state.auth_required else POSSIBLE,
    )


def disabled(it: Comparison) -> Cause | None:
    """The provider is switched off in the same file."""
    off, only = it.document.get("disabled_providers"), it.document.get("enabled_providers")
    in_off = isinstance(off, list) and it.provider.name in off
    not_in_only = isinstance(only, list) and it.provider.name not in only
    if not in_off and not not_in_only:
        return None
    return Cause(
        f"{it.provider.name} is {'in disabled_providers' if in_off else 'not in enabled_providers'}",
        "OpenCode does not offer this server's model.",
        f"{'Take it out there' if in_off else 'Add it there'}.",
        CERTAIN,
    )


RULES: tuple[Callable[[Comparison], Cause | None], ...] = (
    limit_incomplete,
    address,
    disabled,
    model_name,
    limit_missing,
    output_too_long,
    context_too_long,
    api_key,
    never_compacts,
    no_room,
    package,
    reasoning,
    no_margin,
    tool_call,
    secret_in_file,
)


def causes(it: Comparison) -> list[Cause]:
    """Everything that will break, the most certain first."""
    found = [cause for rule in RULES if (cause := rule(it)) is not None]
    order = (CERTAIN, LIKELY, POSSIBLE)
    return sorted(found, key=lambda cause: order.index(cause.confidence))


def chosen(document: Mapping[str, Any], name: str | None, base_url: str | None) -> Provider | None:
    """The provider that is meant: the named one, the one at this address, or the first of a server of one's own."""
    every = client_opencode.providers(document)
    if name is not None:
        return next((one for one in every if one.name == name), None)
    return next(_likeliest(every, base_url), None)


def chosen_model(document: Mapping[str, Any], provider: Provider, served: list[str]) -> str | None:
    """The model of the provider that is meant: one that is served, else the one that the file starts with."""
    ids = {name: str(mapping(entry).get("id") or name) for name, entry in provider.models.items()}
    default = str(document.get("model") or "").removeprefix(f"{provider.name}/")
    preferred = [default] if default in ids else []
    for name in [*preferred, *ids]:
        if ids[name] in served:
            return name
    return next(iter([*preferred, *ids]), None)


def _likeliest(every: list[Provider], base_url: str | None) -> Iterator[Provider]:
    own = [one for one in every if one.base_url]
    netloc = urlsplit(base_url).netloc if base_url else None
    yield from (one for one in own if urlsplit(one.base_url).netloc == netloc)
    yield from own
    yield from every


def _compaction(it: Comparison) -> int | None:
    reserved = mapping(it.document.get("compaction")).get("reserved")
    return client_limits.compaction_point(
        it.limit("context") or 0,
        it.limit("output"),
        prompt=it.limit("input"),
        reserved=reserved if isinstance(reserved, int) else None,
    )


def _good_limit(it: Comparison) -> str:
    """Limits that fit this server, as they are written into the file."""
    server = it.server
    if server is None:
        return '{"context": N, "output": 4096}, where N is what the server was started with, less 2048'
    context = server - client_limits.default_margin(server)
    told = it.limit("output") or 4096
    output = min(told, 4096 if told >= server else told, max(16, context // 4))
    return f'{{"context": {context}, "output": {output}}}'


def _effort(it: Comparison) -> str:
    release = parse_release(it.state.version)
    if release is None:
        return "A server for another model may refuse that."
    if (0, 10, 0) <= release < (0, 18, 0):
        return f"vLLM {it.state.version} refuses every effort but low, medium and high with HTTP 400."
    return f"vLLM {it.state.version} takes it and ignores it; other servers refuse it."
