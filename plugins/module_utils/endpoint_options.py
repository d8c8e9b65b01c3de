# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that every module and action for an endpoint has in common; documented in doc_fragments/endpoint.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient

ENDPOINT_OPTIONS: dict[str, dict[str, Any]] = {
    "base_url": {"type": "str", "default": "http://127.0.0.1:8000/v1"},
    "api_key": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
}


def model_options(*, timeout: float) -> dict[str, dict[str, Any]]:
    """Those of a module that asks a model for something; ``timeout`` is the default for each request, in seconds."""
    own: dict[str, dict[str, Any]] = {"model": {"type": "str"}, "timeout": {"type": "float", "default": timeout}}
    return ENDPOINT_OPTIONS | own


def client_for(params: dict[str, Any], *, timeout: float) -> OpenAIClient:
    """A client for the endpoint that a module's parameters name; EndpointError when they cannot be used."""
    return OpenAIClient(
        params["base_url"],
        params["api_key"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        timeout=timeout,
    )
