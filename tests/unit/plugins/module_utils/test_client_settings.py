# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every client takes its numbers from client_limits, and its key from the environment."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.filter.client_facts import client_facts
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_settings import CLIENTS, SETTINGS

ENDPOINT = {
    "base_url": "http://127.0.0.1:8000/v1",
    "reachable": True,
    "healthy": True,
    "auth_required": True,
    "version": "0.32.0",
    "models": [{"id": "qwen", "max_model_len": 23232}],
}


def made(*clients: str, profile: dict[str, Any] | None = None, **chosen: Any) -> dict[str, Any]:
    return client_facts(ENDPOINT, profile or {}, list(clients), **chosen)


def laid(facts: dict[str, Any], name: str) -> dict[str, Any]:
    """Both together, as a new file has them."""

    def over(below: Any, above: Any) -> Any:
        if not isinstance(below, dict) or not isinstance(above, dict):
            return above
        return {**below, **{key: over(below.get(key), value) for key, value in above.items()}}

    return over(facts["files"][name]["defaults"], facts["files"][name]["settings"])


def test_zed() -> None:
    facts = made("zed", context=20000, output=3000, provider="vllm-a")
    document = laid(facts, "zed")
    server = document["language_models"]["openai_compatible"]["vllm-a"]
    assert server["api_url"] == "http://127.0.0.1:8000/v1"
    (model,) = server["available_models"]
    assert (model["name"], model["max_tokens"], model["max_output_tokens"]) == ("qwen", 20000, 3000)
    assert model["capabilities"]["tools"] and model["capabilities"]["chat_completions"]
    assert document["agent"]["default_model"] == {"provider": "vllm-a", "model": "qwen"}
    assert "agent" not in facts["files"]["zed"]["settings"]  # the user's own choice of a model stays


def test_zed_and_a_model_that_makes_one_call_at_a_time() -> None:
    facts = made("zed", profile={"capabilities": {"tool_choice": ["auto"], "parallel": False}, "served_name": "qwen"})
    (model,) = laid(facts, "zed")["language_models"]["openai_compatible"]["vllm"]["available_models"]
    assert model["capabilities"]["parallel_tool_calls"] is False


def test_cline() -> None:
    facts = made("cline", output=3000)
    model = laid(facts, "cline_models")["providers"]["openai-compatible"]["models"]["qwen"]
    assert (model["contextWindow"], model["maxTokens"]) == (21780, 3000)
    providers = laid(facts, "cline_providers")
    assert providers["providers"][providers["lastUsedProvider"]]["settings"] == {
        "provider": "openai-compatible",
        "model": "qwen",
        "baseUrl": "http://127.0.0.1:8000/v1",
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_other_limits_are_other_numbers_in_every_file(name: str) -> None:
    one, other = (json.dumps(made("zed", output=output)["files"][name]) for output in (3000, 3111))
    assert one.replace("3000", "3111") == other
    assert ("3000" in one) == (name != "cline_providers")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_profile_that_promises_no_tool_calls(client: str) -> None:
    facts = made(client, profile={"capabilities": {"tool_choice": ["none"]}, "served_name": "qwen"})
    assert (client in " ".join(facts["problems"])) == (client != "aider")


@pytest.mark.parametrize("client", CLIENTS)
def test_limits_that_cannot_work_are_refused_for_every_client(client: str) -> None:
    assert made(client)["problems"] == []
    (problem,) = made(client, output=21800)["problems"]
    assert "set clients_output to" in problem or "at least" in problem


@pytest.mark.parametrize(
    ("clients", "most"),
    [(["zed"], 13779), (["zed", "ogx"], 13779), (["zed", "claude_code"], 9279), (["ogx", "example"], 21779)],
)
def test_the_most_demanding_client_says_how_much_room_there_has_to_be(clients: list[str], most: int) -> None:
    assert made(*clients, output=most)["problems"] == []
    (problem,) = made(*clients, output=most + 1)["problems"]
    assert f"set clients_output to {most} or less" in problem
    assert made(*clients, output=most + 1, agent_prompt=0)["problems"] == [] or most == 21779
