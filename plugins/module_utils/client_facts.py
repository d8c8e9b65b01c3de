# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client's file is made of: the facts of an endpoint that answers, and the profile of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.toolserve.gpunode.plugins.module_utils import client_limits, profile
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState

_OUTPUT = 4096  # where nobody says how long an answer may be


class ClientFactsError(ValueError):
    """No client can work with this endpoint as it is; the text says why and what to do."""


@dataclass(frozen=True)
class ClientFacts:
    """``api``: the address with its /v1, ``root`` without; ``key_variable``: the environment variable that holds the
    key on the client's machine, empty where the server wants none; ``reasoning``: None where no profile tells."""

    api: str
    root: str
    model: str
    title: str
    provider: str
    release: str | None
    key_variable: str
    tool_calls: bool
    parallel_calls: bool
    reasoning: bool | None
    limits: client_limits.Limits

    def as_dict(self) -> dict[str, Any]:
        """For templates."""
        return {**asdict(self), "limits": self.limits.as_dict()}


def facts(
    endpoint: Mapping[str, Any],
    model_profile: Mapping[str, Any],
    *,
    base_url: str = "",
    model: str = "",
    provider: str = "vllm",
    key_variable: str = "VLLM_API_KEY",
    max_model_len: int | None = None,
    output: int | None = None,
    context: int | None = None,
    margin: int | None = None,
    agent_prompt: int = client_limits.AGENT_PROMPT,
) -> ClientFacts:
    """The facts, from what endpoint_info returned.

    :param base_url: the address as clients see it, where it is another one.
    :param model: the served name; by default the profile's, else the first that the server lists.
    :param max_model_len: where the server does not tell it.
    :raises ClientFactsError: the endpoint does not serve the model.
    :raises LimitsError: the limits cannot work.
    """
    served = [str(known["id"]) for known in endpoint.get("models") or []]
    name = model or str(model_profile.get("served_name") or "") or (served[0] if served else "")
    _check(endpoint, served, name)
    state = EndpointState(str(endpoint["base_url"]), models=list(endpoint["models"]))
    told = model_profile.get("context") or {}
    capabilities = model_profile.get("capabilities") or {}
    context_of_server = state.context(name) or max_model_len
    root = (base_url or state.base_url).rstrip("/").removesuffix("/v1").rstrip("/")
    if urlsplit(root).scheme not in ("http", "https") or not urlsplit(root).hostname:
        raise ClientFactsError(f"clients_base_url is {base_url}, which is no address. Write it as https://HOST/v1.")
    return ClientFacts(
        api=f"{root}/v1",
        root=root,
        model=name,
        title=str(model_profile.get("summary") or name),
        provider=provider,
        release=endpoint.get("version"),
        key_variable=key_variable if endpoint.get("auth_required") is not False else "",
        tool_calls="auto" in capabilities.get("tool_choice", ["auto"]),
        parallel_calls=bool(capabilities.get("parallel", True)),
        reasoning=profile.reasons(model_profile) if model_profile else None,
        limits=client_limits.limits(
            context_of_server,
            output or int(told.get("output") or min(_OUTPUT, (context_of_server or _OUTPUT) // 4)),
            context=context,
            margin=margin,
            agent_prompt=agent_prompt,
        ),
    )


def _check(endpoint: Mapping[str, Any], served: list[str], name: str) -> None:
    error = endpoint.get("error")
    if not endpoint.get("reachable") or error or not endpoint.get("healthy"):
        said = error["message"] if error else "It does not say that it is healthy; look into the server's log."
        raise ClientFactsError(f"No file for a client is written, because the endpoint does not work: {said}")
    if name not in served:
        raise ClientFactsError(
            f"No file for a client is written, because the endpoint serves {', '.join(served) or 'no model'} and not "
            f"{name or 'any'}. Name a served model (clients_model), or serve it under that name."
        )
