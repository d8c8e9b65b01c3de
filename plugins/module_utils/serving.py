# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How vLLM is told what a profile says: its command line, release by release."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Where the compose project of the vllm role mounts its files inside the container.
PARSER_FOLDER = "/opt/gpunode/tool_parsers"
TEMPLATE_FOLDER = "/opt/gpunode/chat_templates"
CONTAINER_PORT = 8000

# What has a place of its own, the environment file that only root can read.
SECRETS = {"api-key": "gpunode_api_key", "hf-token": "vllm_hf_token"}


def model_mount(profile: Mapping[str, Any]) -> str:
    """Where a model folder of the node appears inside the container."""
    return f"/models/{profile['served_name']}"


def arguments(
    profile: Mapping[str, Any], extra: Mapping[str, Any] | None = None, local_model: bool = False
) -> list[str]:
    """vLLM's command line for a profile, the same for the same input.

    :param profile: a checked profile.
    :param extra: options of the user, which win over those of the profile; null takes one away.
    :param local_model: the model is a folder of the node and not a repository of the hub.
    :raises ValueError: an extra option would undo what the profile needs; the message says which and what to do.
    """
    owned = {**_model(profile, local_model), **_tool_calls(profile)}
    owned |= {
        "served-model-name": profile["served_name"],
        "host": "0.0.0.0",  # inside the container; what the node publishes is the compose file's matter
        "port": CONTAINER_PORT,
        "max-model-len": profile["context"]["maximum"],
    }
    profiles, users = _named(profile["vllm"].get("arguments", {})), _named(extra or {})
    for source, given in (("The profile's vllm.arguments", profiles), ("vllm_extra_arguments", users)):
        _refuse(source, given, owned)
    options = owned | profiles | users
    return [part for name, value in options.items() for part in _option(name, value)]


def _named(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options by the names that vLLM's help gives them."""
    return {name.lstrip("-").replace("_", "-"): value for name, value in options.items()}


def _refuse(source: str, given: Mapping[str, Any], owned: Mapping[str, Any]) -> None:
    clash = sorted(given.keys() & owned.keys())
    if clash:
        raise ValueError(
            f"{source} sets {', '.join(clash)}, which follows from other fields of the profile. "
            "Change those (gpunode_profile_overrides), so that the checks and clients learn of it too."
        )
    for name in sorted(given.keys() & SECRETS.keys()):
        raise ValueError(
            f"{source} sets {name}: a command line shows secrets to everyone. Set {SECRETS[name]} instead."
        )


def _model(profile: Mapping[str, Any], local_model: bool) -> dict[str, Any]:
    model = profile["model"]
    if local_model:
        return {"model": model_mount(profile)}
    return {"model": model["id"], "revision": model.get("revision")}


def _tool_calls(profile: Mapping[str, Any]) -> dict[str, Any]:
    tool_calls = profile["tool_calls"]
    plugin, template = tool_calls.get("parser_plugin"), tool_calls["chat_template"]
    return {
        "enable-auto-tool-choice": True,
        "tool-call-parser": tool_calls["parser"],
        "tool-parser-plugin": f"{PARSER_FOLDER}/{plugin}" if plugin else None,
        "chat-template": template if template.startswith("/") else f"{TEMPLATE_FOLDER}/{template}",
    }


def _option(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", json.dumps(value) if isinstance(value, (dict, list)) else str(value)]
