# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each client needs: a release of the server, and for those whose file is JSON what is laid into it.

The other files are templates of the role clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import client_opencode
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_facts import ClientFacts
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release, parse_release

Pair = tuple[dict[str, Any], dict[str, Any]]

CLIENTS = (
    "aider",
    "claude_code",
    "cline",
    "codex",
    "continue",
    "example",
    "llama_stack",
    "ogx",
    "opencode",
    "zed",
)
# The API that a client speaks, and the release of vLLM from which on there is one (read in vLLM's code).
_APIS: Mapping[str, tuple[str, Release]] = {
    "codex": ("Responses", (0, 10, 0)),
    "claude_code": ("Anthropic Messages", (0, 11, 1)),
}
_WITHOUT_TOOLS = ("aider",)  # it asks for edits in the text of the answer


def problems(client: str, facts: ClientFacts) -> list[str]:
    """Why this client cannot work with this server, in whole sentences."""
    found = []
    release = parse_release(facts.release)
    name, since = _APIS.get(client, ("", (0, 0, 0)))
    if release is not None and release < since:
        found.append(
            f"{client} needs the {name} API, which vLLM has from {'.'.join(map(str, since))} on, and the server runs "
            f"{facts.release}. Take a newer one (vllm_release), or leave {client} out of clients_write."
        )
    if not facts.tool_calls and client not in _WITHOUT_TOOLS:
        found.append(
            f"{client} needs tool_choice auto, which the profile does not promise. Leave {client} out of clients_write."
        )
    return found


# Claude Code 2.1.330 compacts so many tokens before the end of its window less the answer (tests/e2e measures that).
_CLAUDE_CODE_RESERVE = 13000


def _claude_code(facts: ClientFacts) -> Pair:
    """A file for ``claude --settings``: the key comes from the environment by a helper, never from the file.

    Of a model that it does not know it assumes a window of a million tokens. It is told the one with which it compacts
    where every agent shall, at ``limits.compaction``.
    """
    environment = {
        "ANTHROPIC_BASE_URL": facts.root,
        "ANTHROPIC_MODEL": facts.model,
        **{f"ANTHROPIC_DEFAULT_{size}_MODEL": facts.model for size in ("OPUS", "SONNET", "HAIKU")},
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(facts.limits.output),
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(facts.limits.context + _CLAUDE_CODE_RESERVE),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        # It changes with every request, and stands before everything that the prefix cache could keep.
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    }
    helper = f"printenv {facts.key_variable}" if facts.key_variable else "echo none"
    return {"env": environment}, {"apiKeyHelper": helper}


def _zed(facts: ClientFacts) -> Pair:
    """settings.json of Zed, which reads the key from a variable that it names after the provider."""
    model = {
        "name": facts.model,
        "max_tokens": facts.limits.context,
        "max_output_tokens": facts.limits.output,
        # The API whose tool calls were proven; Zed would take one that is set to false for the Responses API.
        "capabilities": {
            "tools": facts.tool_calls,
            "parallel_tool_calls": facts.parallel_calls,
            "images": False,
            "prompt_cache_key": False,
            "chat_completions": True,
        },
    }
    server = {"api_url": facts.api, "available_models": [model]}
    chosen = {"provider": facts.provider, "model": facts.model}
    return (
        {"language_models": {"openai_compatible": {facts.provider: server}}},
        {"agent": {"default_model": chosen}},
    )


_CLINE = "openai-compatible"  # the provider of Cline that has an address of one's own


def _cline_providers(facts: ClientFacts) -> Pair:
    """providers.json in a folder for ``cline --data-dir``; the key comes from OPENAI_API_KEY."""
    settings = {"provider": _CLINE, "model": facts.model, "baseUrl": facts.api}
    return (
        {"version": 1, "providers": {_CLINE: {"settings": settings}}},
        {"lastUsedProvider": _CLINE, "providers": {_CLINE: {"updatedAt": "1970-01-01T00:00:00.000Z"}}},
    )


def _cline_models(facts: ClientFacts) -> Pair:
    """models.json beside it."""
    model = {
        "contextWindow": facts.limits.context,
        "maxTokens": facts.limits.output,
        "capabilities": ["streaming", *(["tools"] if facts.tool_calls else [])],
    }
    return (
        {"version": 1, "providers": {_CLINE: {"models": {facts.model: model}}}},
        {"providers": {_CLINE: {"models": {facts.model: {"name": facts.title}}}}},
    )


SETTINGS: Mapping[str, Callable[[ClientFacts], Pair]] = {
    "claude_code": _claude_code,
    "cline_models": _cline_models,
    "cline_providers": _cline_providers,
    "opencode": lambda facts: (client_opencode.settings(facts), client_opencode.defaults(facts)),
    "zed": _zed,
}
