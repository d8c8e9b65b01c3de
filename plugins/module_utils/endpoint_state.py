# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an endpoint says of itself, without generating anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient

MODELS_PATH = "/v1/models"


@dataclass
class EndpointState:
    """``error`` is what stood in the way of the list of models; reachable means that something answers HTTP."""

    base_url: str
    reachable: bool = False
    healthy: bool = False
    version: str | None = None
    models: list[dict[str, Any]] = field(default_factory=list)
    auth_required: bool | None = None
    error: EndpointError | None = None

    @property
    def served(self) -> list[str]:
        """The names under which models are served."""
        return [str(model["id"]) for model in self.models]

    def context(self, model: str | None) -> int | None:
        """How many tokens prompt and answer may have together, as the server says."""
        listed = {known["id"]: known.get("max_model_len") for known in self.models}
        length = listed.get(model)
        return length if isinstance(length, int) and not isinstance(length, bool) else None

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {
            "base_url": self.base_url,
            "reachable": self.reachable,
            "healthy": self.healthy,
            "version": self.version,
            "models": self.models,
            "auth_required": self.auth_required,
            "error": self.error.as_dict() if self.error else None,
        }


def look(client: OpenAIClient) -> EndpointState:
    """Ask for health, version, models and whether a key is needed."""
    state = EndpointState(client.base_url)
    try:
        # Servers other than vLLM have no /health: one that lists its models counts as healthy.
        health = client.status("/health", authenticate=False)
    except EndpointError as error:
        state.error = error
        return state
    state.reachable = True
    try:
        state.models = _models(client.get_json(MODELS_PATH))
    except EndpointError as error:
        state.error = error
    state.healthy = health == 200 or (health not in range(500, 600) and state.error is None)
    state.version = _version(client)
    state.auth_required = _auth_required(client, state.error)
    return state


def _models(document: Any) -> list[dict[str, Any]]:
    listed = document.get("data") if isinstance(document, dict) else None
    models = [model for model in listed or [] if isinstance(model, dict) and model.get("id")]
    return [{key: model.get(key) for key in ("id", "root", "max_model_len")} for model in models]


def _version(client: OpenAIClient) -> str | None:
    try:
        document = client.get_json("/version")
    except EndpointError:  # only vLLM has it
        return None
    version = document.get("version") if isinstance(document, dict) else None
    return str(version) if version else None


def _auth_required(client: OpenAIClient, error: EndpointError | None) -> bool | None:
    if not client.has_key:
        if error is None:
            return False
        return True if error.status in (401, 403) else None
    try:
        return client.status(MODELS_PATH, authenticate=False) in (401, 403)
    except EndpointError:
        return None
