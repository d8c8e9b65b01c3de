# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""opencode.json, as OpenCode 1.18.33 reads it: what we lay into it, and what one that exists says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.client_facts import ClientFacts

SCHEMA = "https://opencode.ai/config.json"
PACKAGE = "@ai-sdk/openai-compatible"  # speaks chat completions; part of OpenCode, nothing is downloaded for it


def reference(variable: str) -> str:
    """How the file names a variable of the environment."""
    return f"{{env:{variable}}}"


def settings(facts: ClientFacts) -> dict[str, Any]:
    """What has to be so for this endpoint."""
    model: dict[str, Any] = {"tool_call": facts.tool_calls}
    if facts.reasoning is not None:
        model["reasoning"] = facts.reasoning
    model["limit"] = {"context": facts.limits.context, "output": facts.limits.output}
    return {
        "provider": {
            facts.provider: {"npm": PACKAGE, "options": {"baseURL": facts.api}, "models": {facts.model: model}}
        }
    }


def defaults(facts: ClientFacts) -> dict[str, Any]:
    """What is filled in where the user says nothing."""
    options = {"apiKey": reference(facts.key_variable)} if facts.key_variable else {}
    return {
        "$schema": SCHEMA,
        "model": f"{facts.provider}/{facts.model}",
        "provider": {
            facts.provider: {
                "name": "vLLM",
                "options": options,
                "models": {facts.model: {"name": facts.title}},
            }
        },
    }


@dataclass(frozen=True)
class Provider:
    """One provider of a file, seen with care: a user's file may hold anything anywhere."""

    name: str
    document: Mapping[str, Any]

    @property
    def package(self) -> str:
        """Without one OpenCode takes :data:`PACKAGE`."""
        return str(self.document.get("npm") or PACKAGE)

    @property
    def options(self) -> Mapping[str, Any]:
        return mapping(self.document.get("options"))

    @property
    def base_url(self) -> str:
        return str(self.options.get("baseURL") or self.document.get("api") or "")

    @property
    def models(self) -> Mapping[str, Any]:
        return mapping(self.document.get("models"))


def providers(document: Mapping[str, Any]) -> list[Provider]:
    """In the order of the file."""
    return [Provider(name, mapping(one)) for name, one in mapping(document.get("provider")).items()]


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
