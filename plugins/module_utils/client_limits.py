# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long prompts and answers a client may be told to use: the arithmetic behind every limit in a client's file.

A server holds prompt and answer together in ``max_model_len`` tokens. An agent asks for ``output`` tokens with every
request, so the longest prompt that is sure to be answered is ``max_model_len - output``. An agent compacts its
conversation when an answer has brought it to ``context - output``: that is looked at after the answer, and what a tool
returns until the next request comes on top. The margin between ``context`` and ``max_model_len`` is the room for that.
Up to vLLM 0.28 a prompt beyond it is refused, from 0.32 on the answer is cut short instead.

Sources: OpenCode 1.18.33 (session/overflow, ProviderTransform.maxOutputTokens) read and run; vLLM's api_utils.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# What OpenCode asks for when its file sets no limit, and the most that it ever asks for.
AGENT_OUTPUT = 32000
# Before the first word of their user OpenCode 1.18.33 and Codex 0.169 send about 30 kB of system message and tool
# schemas, Cline 3.0 23 kB, Claude Code 2.1 49 kB.
AGENT_PROMPT = 8000
_AGENT_PROMPTS = {"claude_code": 12500, "example": 0, "llama_stack": 0, "ogx": 0}  # three of them are no agents
# Of a context in which one result of a tool fits besides; more is lost to every conversation.
_MARGIN_MOST, _MARGIN_LEAST, _MARGIN_SHARE = 2048, 256, 16
# What OpenCode keeps free where limit.input is set.
_RESERVED_MOST = 20000


class LimitsError(ValueError):
    """Limits that cannot work; ``problems`` are whole sentences that say which number to change."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


@dataclass(frozen=True)
class Limits:
    """All in tokens. ``server``: its max_model_len; ``context`` and ``output``: what the client is told."""

    server: int
    context: int
    output: int

    @property
    def margin(self) -> int:
        """By how much a prompt may grow beyond the compaction point before the server refuses or cuts."""
        return self.server - self.context

    @property
    def compaction(self) -> int:
        """The tokens of a conversation from which on the agent compacts it."""
        return self.context - self.output

    @property
    def longest_prompt(self) -> int:
        """The longest prompt after which a whole answer fits."""
        return self.server - self.output

    def as_dict(self) -> dict[str, int]:
        """For templates."""
        return {
            "server": self.server,
            "context": self.context,
            "output": self.output,
            "margin": self.margin,
            "compaction": self.compaction,
            "longest_prompt": self.longest_prompt,
        }


def agent_prompt_of(clients: Iterable[str]) -> int:
    """How many tokens the most demanding of the clients needs for itself in every request."""
    return max((_AGENT_PROMPTS.get(client, AGENT_PROMPT) for client in clients), default=AGENT_PROMPT)


def default_margin(server: int) -> int:
    """A sixteenth of the context, at least 256 and at most 2048 tokens."""
    return max(_MARGIN_LEAST, min(_MARGIN_MOST, server // _MARGIN_SHARE))


def requested_output(output: int | None) -> int:
    """The max_tokens that OpenCode sends for its ``limit.output``."""
    return min(output, AGENT_OUTPUT) if output else AGENT_OUTPUT


def compaction_point(
    context: int, output: int | None, *, prompt: int | None = None, reserved: int | None = None
) -> int | None:
    """The tokens from which on OpenCode compacts; None where it never does.

    :param prompt: ``limit.input``, where it is set; only then ``reserved`` (``compaction.reserved``) counts.
    """
    if not context:
        return None
    asked = requested_output(output)
    if prompt:
        return max(0, prompt - (min(_RESERVED_MOST, asked) if reserved is None else reserved))
    return max(0, context - asked)


def limits(
    server: int | None,
    output: int,
    *,
    context: int | None = None,
    margin: int | None = None,
    agent_prompt: int = AGENT_PROMPT,
) -> Limits:
    """What to tell a client of a server with this context.

    :param server: max_model_len; None where the server does not tell it.
    :param output: the tokens of one answer.
    :param context: as the user wants it; by default the server's less the margin.
    :param margin: by default :func:`default_margin`.
    :param agent_prompt: the tokens that the agent needs for itself in every request.
    :raises LimitsError: they cannot work; each problem says which number to change.
    """
    if server is None:
        raise LimitsError([
            "The server does not say how long its context is (max_model_len of /v1/models), so that no limit can be "
            "derived from it. Set clients_max_model_len to the context that it was started with."
        ])  # fmt: skip
    fixed = margin if context is None else server - context
    margin = default_margin(server) if margin is None else margin
    told = server - margin if context is None else context
    problems = [
        *_out_of_range(server, told, output, margin, chosen=context is not None),
        *_no_room(server, told, output, agent_prompt, _least_server(output, agent_prompt, fixed)),
    ]
    if problems:
        raise LimitsError(problems[:1] if told > server else problems)
    return Limits(server, told, output)


def _out_of_range(server: int, context: int, output: int, margin: int, *, chosen: bool) -> list[str]:
    found = []
    if chosen and context > server:
        found.append(
            f"clients_context is {context}, and the server holds {server} tokens: the agent would send prompts that "
            f"are refused. Set clients_context to {server - margin} or less, or give the server more with "
            "vllm_max_model_len."
        )
    if not chosen and margin < 0:
        found.append(f"clients_context_margin is {margin}. Set it to 0 or more; {default_margin(server)} fits here.")
    if output < 1:
        found.append(f"clients_output is {output}. Set it to the tokens that one answer may have, such as 4096.")
    if output > AGENT_OUTPUT:
        found.append(
            f"clients_output is {output}, and agents ask for {AGENT_OUTPUT} tokens at most. Set clients_output to "
            f"{AGENT_OUTPUT} or less."
        )
    return found


def _no_room(server: int, context: int, output: int, agent_prompt: int, least: int) -> list[str]:
    room = context - output
    if room > agent_prompt:
        return []
    most = context - agent_prompt - 1
    fix = f"Give the server at least {least} tokens (vllm_max_model_len)"
    if most >= 256:
        fix += f", or set clients_output to {most} or less"
    return [
        f"Of {server} tokens of context, {output} for the answer and a margin of {server - context} leave "
        f"{max(0, room)} for the conversation, and the agent's own prompt takes about {agent_prompt}: it would compact "
        f"without end, or be refused at once. {fix}."
    ]


def _least_server(output: int, agent_prompt: int, margin: int | None) -> int:
    """The smallest context that is enough; with None the margin grows with it."""
    needed = agent_prompt + output + 1
    server = needed + (_MARGIN_LEAST if margin is None else max(0, margin))
    while margin is None and server - default_margin(server) < needed:
        server = needed + default_margin(server)
    return server
