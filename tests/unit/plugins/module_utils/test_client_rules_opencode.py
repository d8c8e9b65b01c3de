# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import client_opencode
from ansible_collections.toolserve.gpunode.plugins.module_utils import client_rules_opencode as rules
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_facts import ClientFactsError, facts
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_limits import LimitsError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState
from ansible_collections.toolserve.gpunode.plugins.module_utils.jsonc_document import fresh, read

URL = "http://127.0.0.1:8000/v1"
ENDPOINT: dict[str, Any] = {
    "base_url": URL,
    "reachable": True,
    "healthy": True,
    "version": "0.32.0",
    "models": [{"id": "qwen", "root": "Qwen/Qwen2.5-14B-Instruct-AWQ", "max_model_len": 23232}],
    "auth_required": True,
    "error": None,
}
PROFILE: dict[str, Any] = {
    "served_name": "qwen",
    "summary": "Qwen2.5-14B",
    "context": {"maximum": 23232, "output": 4096},
    "capabilities": {"parallel": True, "streaming": True, "tool_choice": ["auto"]},
    "tool_calls": {"parser": "qwen_tools"},
}


def written(**changes: Any) -> dict[str, Any]:
    """What our role writes for this endpoint."""
    found = facts({**ENDPOINT, **changes}, PROFILE)
    return read(fresh(client_opencode.settings(found), client_opencode.defaults(found)).encode())


def judged(document: dict[str, Any], *, reasoning: bool | None = False, **server: Any) -> list[str]:
    state = {
        "base_url": URL,
        "reachable": True,
        "healthy": True,
        "version": "0.32.0",
        "models": ENDPOINT["models"],
        "auth_required": True,
        **server,
    }
    provider = rules.chosen(document, None, URL)
    assert provider is not None
    seen = EndpointState(**state)
    model = rules.chosen_model(document, provider, seen.served)
    found = rules.causes(rules.Comparison(document, provider, model, seen, reasoning))
    assert all(cause.fix.endswith(".") and cause.cause and cause.symptom for cause in found)
    return [cause.symptom for cause in found]


def changed(path: str, value: Any) -> dict[str, Any]:
    """What our role writes, with one thing changed; None removes it."""
    document = written()
    place = document
    *way, last = path.split(".")
    for step in way:
        place = place.setdefault(step, {})
    if value is None:
        place.pop(last, None)
    else:
        place[last] = value
    return document


def test_what_is_written() -> None:
    assert written() == {
        "$schema": "https://opencode.ai/config.json",
        "model": "vllm/qwen",
        "provider": {
            "vllm": {
                "name": "vLLM",
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": URL, "apiKey": "{env:VLLM_API_KEY}"},
                "models": {
                    "qwen": {
                        "name": "Qwen2.5-14B",
                        "tool_call": True,
                        "reasoning": False,
                        "limit": {"context": 21780, "output": 4096},
                    }
                },
            }
        },
    }


def test_a_server_without_a_key_gets_none() -> None:
    assert written(auth_required=False)["provider"]["vllm"]["options"] == {"baseURL": URL}


def test_what_the_server_holds_counts_and_not_what_the_profile_says() -> None:
    model = {**ENDPOINT["models"][0], "max_model_len": 16384}
    limit = written(models=[model])["provider"]["vllm"]["models"]["qwen"]["limit"]
    assert limit == {"context": 15360, "output": 4096}


def test_whether_the_model_reasons_comes_from_its_profile_alone() -> None:
    reasons = {**PROFILE, "tool_calls": {"parser": "openai", "reasoning_parser": "openai_gptoss"}}
    assert client_opencode.settings(facts(ENDPOINT, reasons))["provider"]["vllm"]["models"]["qwen"]["reasoning"] is True
    unknown = client_opencode.settings(facts(ENDPOINT, {}))["provider"]["vllm"]["models"]["qwen"]
    assert "reasoning" not in unknown


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ({"reachable": False, "error": {"message": "connection refused"}}, "connection refused"),
        ({"healthy": False}, "does not say that it is healthy"),
        ({"models": []}, "serves no model and not qwen"),
        ({"models": [{"id": "other", "max_model_len": 1}]}, "serves other and not qwen"),
        ({"error": {"message": "HTTP 401"}}, "HTTP 401"),
    ],
)
def test_nothing_for_an_endpoint_that_does_not_work(endpoint: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientFactsError) as refused:
        written(**endpoint)
    assert said in str(refused.value)


def test_nothing_with_limits_that_cannot_work() -> None:
    with pytest.raises(LimitsError):
        facts(ENDPOINT, PROFILE, context=30000)


@pytest.mark.parametrize(
    ("given", "api"),
    [("", URL), ("https://llm.example.com", "https://llm.example.com/v1"), ("http://a:1/x/v1/", "http://a:1/x/v1")],
)
def test_the_address_as_clients_see_it(given: str, api: str) -> None:
    found = facts(ENDPOINT, PROFILE, base_url=given)
    assert (found.api, found.root) == (api, api.removesuffix("/v1"))


def test_an_address_that_is_none() -> None:
    with pytest.raises(ClientFactsError):
        facts(ENDPOINT, PROFILE, base_url="llm.example.com")


def test_what_is_written_is_right() -> None:
    assert judged(written()) == []


MODEL = "provider.vllm.models.qwen"


@pytest.mark.parametrize(
    ("path", "value", "symptom"),
    [
        (f"{MODEL}.limit", None, f"{MODEL}.limit is missing"),
        (f"{MODEL}.limit.output", None, f"{MODEL}.limit.output is missing or no number"),
        (f"{MODEL}.limit.context", "23k", f"{MODEL}.limit.context is missing or no number"),
        (f"{MODEL}.limit.output", 32000, f"{MODEL}.limit.output is 32000, and the server holds 23232 tokens"),
        (f"{MODEL}.limit.output", 23233, f"{MODEL}.limit.output is 23233, and the server holds 23232 tokens"),
        (f"{MODEL}.limit.output", 23232, f"{MODEL}.limit leaves 0 tokens for the conversation"),
        (f"{MODEL}.limit.context", 65536, f"{MODEL}.limit.context is 65536, and the server holds 23232 tokens"),
        (f"{MODEL}.limit.context", 23232, f"{MODEL}.limit.context leaves 0 of the server's 23232 tokens free"),
        (f"{MODEL}.limit.context", 9000, f"{MODEL}.limit leaves 4904 tokens for the conversation"),
        (f"{MODEL}.limit.context", 0, f"{MODEL}.limit.context is 0"),
        ("compaction.auto", False, "compaction.auto is false"),
        (f"{MODEL}.reasoning", True, f"{MODEL}.reasoning is true, and the model does not reason"),
        (f"{MODEL}.tool_call", False, f"{MODEL}.tool_call is false"),
        (f"{MODEL}.id", "qwen-plus", "the file asks for qwen-plus, and the server serves qwen"),
        ("provider.vllm.models", {}, "provider.vllm.models names no model"),
        ("provider.vllm.options.baseURL", "https://127.0.0.1:8000/v1", "and the server answers by http"),
        ("provider.vllm.options.baseURL", "http://127.0.0.1:8000", "without /v1"),
        ("provider.vllm.options.baseURL", "http://10.0.0.1:8000/v1", "the endpoint that was looked at is"),
        ("provider.vllm.options.baseURL", None, "provider.vllm.options.baseURL is missing"),
        ("provider.vllm.options.apiKey", None, "apiKey is missing, and the server wants a key"),
        ("provider.vllm.options.apiKey", "sk-1234", "provider.vllm.options.apiKey holds a key"),
        ("provider.vllm.npm", "@ai-sdk/openai", "provider.vllm.npm is @ai-sdk/openai"),
        ("disabled_providers", ["vllm"], "vllm is in disabled_providers"),
        ("enabled_providers", ["other"], "vllm is not in enabled_providers"),
    ],
)
def test_one_thing_wrong_is_one_cause(path: str, value: Any, symptom: str) -> None:
    (found,) = judged(changed(path, value))
    assert symptom in found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{MODEL}.limit.context", 16384),
        (f"{MODEL}.limit.input", 17000),
        (f"{MODEL}.reasoning", None),
        (f"{MODEL}.tool_call", None),
        (f"{MODEL}.name", "mine"),
        ("provider.vllm.options.baseURL", "{env:VLLM_URL}"),
        ("provider.vllm.options.apiKey", "{file:~/.key}"),
        ("provider.vllm.npm", None),
        ("compaction.auto", True),
        ("disabled_providers", ["openai"]),
        ("provider.other", {"options": {"baseURL": "https://elsewhere/v1"}, "models": {"x": {}}}),
    ],
)
def test_what_works_is_no_cause(path: str, value: Any) -> None:
    assert judged(changed(path, value)) == []


def test_a_reasoning_model_may_reason() -> None:
    assert judged(changed(f"{MODEL}.reasoning", True), reasoning=True) == []
    assert judged(changed(f"{MODEL}.reasoning", True), reasoning=None) == []


def test_a_long_context_without_a_limit_is_never_compacted() -> None:
    document = changed(f"{MODEL}.limit", None)
    models = [{"id": "qwen", "root": None, "max_model_len": 131072}]
    provider = rules.chosen(document, None, URL)
    assert provider is not None
    state = EndpointState(URL, True, True, "0.32.0", models)
    cause = rules.limit_missing(rules.Comparison(document, provider, "qwen", state))
    assert cause is not None and "never compacts" in cause.cause


@pytest.mark.parametrize(
    ("version", "said"), [("0.10.2", "refuses every effort"), ("0.32.0", "ignores it"), (None, "may refuse")]
)
def test_what_reasoning_does_depends_on_the_release(version: str | None, said: str) -> None:
    document = changed(f"{MODEL}.reasoning", True)
    provider = rules.chosen(document, None, URL)
    assert provider is not None
    state = EndpointState(URL, True, True, version, ENDPOINT["models"])
    cause = rules.reasoning(rules.Comparison(document, provider, "qwen", state, False))
    assert cause is not None and said in cause.cause


@pytest.mark.parametrize("server", [2048, 8192, 23232, 131072])
@pytest.mark.parametrize("limit", [None, {}, {"context": 200000, "output": 64000}, {"context": 1, "output": 1}])
def test_what_a_fix_says_to_write_is_right(server: int, limit: Any) -> None:
    document = changed(f"{MODEL}.limit", deepcopy(limit))
    models = [{"id": "qwen", "root": None, "max_model_len": server}]
    provider = rules.chosen(document, None, URL)
    assert provider is not None
    state = EndpointState(URL, True, True, "0.32.0", models)
    causes = rules.causes(rules.Comparison(document, provider, "qwen", state, False, agent_prompt=300))
    assert causes
    advised = read(causes[0].fix.partition('"limit": ')[2].rstrip(".").encode())
    document["provider"]["vllm"]["models"]["qwen"]["limit"] = advised
    again = rules.causes(rules.Comparison(document, provider, "qwen", state, False, agent_prompt=300))
    assert again == []


@pytest.mark.parametrize("document", [{}, {"provider": []}, {"provider": {}}])
def test_a_file_without_a_provider(document: dict[str, Any]) -> None:
    assert rules.chosen(document, None, URL) is None


@pytest.mark.parametrize(
    "document", [{"provider": {"x": None}}, {"provider": {"x": {"models": [], "options": 1}}}, {"provider": {"x": 3}}]
)
def test_a_file_with_anything_in_it(document: dict[str, Any]) -> None:
    assert judged(document)


def test_the_provider_that_leads_to_the_endpoint_is_meant() -> None:
    others = {
        "anthropic": {"options": {"timeout": 1}},
        "first": {"options": {"baseURL": "https://elsewhere/v1"}},
        "second": {"options": {"baseURL": URL}},
    }
    chosen = [
        rules.chosen({"provider": others}, name, url) for name, url in ((None, URL), (None, None), ("first", URL))
    ]
    assert [one and one.name for one in chosen] == ["second", "first", "first"]
    assert rules.chosen({"provider": others}, "third", URL) is None
