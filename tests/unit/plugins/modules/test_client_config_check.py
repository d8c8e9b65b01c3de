# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.modules import client_config_check
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

Serve = Callable[..., FakeEndpoint]
Run = Callable[..., dict[str, Any]]
PROFILE = {"tool_calls": {"parser": "qwen_tools"}}


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """``file(url, limit=None)``: a right file for that endpoint but for what is said."""

    def write(url: str, **model: Any) -> str:
        entry = {"limit": {"context": 1792, "output": 512}, "reasoning": False, **model}
        provider = {
            "options": {"baseURL": url, "apiKey": "{env:VLLM_API_KEY}"},
            "models": {"pocket": {key: value for key, value in entry.items() if value is not None}},
        }
        path = tmp_path / "opencode.json"
        path.write_text("// mine\n" + json.dumps({"provider": {"vllm": provider}}))
        return str(path)

    return write


@pytest.fixture
def check(run_module: Run) -> Run:
    return lambda path, **options: run_module(client_config_check, path=path, agent_prompt=300, **options)


def test_a_right_file(serve: Serve, file: Callable[..., str], check: Run) -> None:
    url = serve(api_key="k-canary").url
    result = check(file(url), api_key="k-canary", profile=PROFILE)
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert result["causes"] == [] and "nothing to correct" in result["summary"]
    assert (result["provider"], result["model"], result["max_model_len"]) == ("vllm", "pocket", 2048)
    assert result["base_url"] == url
    assert result.keys() == {"changed", *yaml.safe_load(client_config_check.RETURN)}


def test_a_wrong_file(serve: Serve, file: Callable[..., str], check: Run) -> None:
    result = check(file(serve().url, limit=None, reasoning=True), profile=PROFILE)
    assert not result["changed"] and not result.get("failed")
    assert ["limit is missing" in result["causes"][0]["symptom"], "reasoning" in result["causes"][1]["symptom"]] == [
        True,
        True,
    ]
    assert "What was seen: " in result["summary"] and "2 to correct" in result["summary"]


@pytest.mark.parametrize(("fail_on", "fails"), [("never", False), ("certain", False), ("possible", True)])
def test_when_it_fails(serve: Serve, file: Callable[..., str], check: Run, fail_on: str, fails: bool) -> None:
    path = file(serve().url, limit={"context": 2048, "output": 512})  # no margin: a possible cause
    assert bool(check(path, fail_on=fail_on).get("failed")) is fails


def test_https_in_the_file_of_a_server_without(serve: Serve, file: Callable[..., str], check: Run) -> None:
    endpoint = serve()
    (cause,) = check(file(endpoint.url.replace("http:", "https:")), api_key="k-canary")["causes"]
    assert "the server answers by http" in cause["symptom"] and endpoint.url in cause["fix"]


def test_an_endpoint_that_does_not_answer(dead_url: str, file: Callable[..., str], check: Run) -> None:
    result = check(file(dead_url, limit=None))
    assert [cause["confidence"] for cause in result["causes"]] == ["certain", "certain"]
    assert "limit is missing" in result["causes"][1]["symptom"]
    assert result["max_model_len"] is None


def test_a_wrong_key(serve: Serve, file: Callable[..., str], check: Run) -> None:
    first, *_others = check(file(serve(api_key="right").url), api_key="wrong")["causes"]
    assert "401" in first["symptom"]


def test_a_file_without_the_provider(serve: Serve, tmp_path: Path, check: Run) -> None:
    path = tmp_path / "opencode.json"
    path.write_text("{}")
    result = check(str(path), base_url=serve().url)
    assert "has no provider" in result["causes"][0]["symptom"]
    assert (result["provider"], result["model"], result["base_url"]) == (None, None, None)


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("{", "not valid JSON")])
def test_a_file_that_cannot_be_read(tmp_path: Path, check: Run, content: str | None, said: str) -> None:
    path = tmp_path / "opencode.json"
    if content is not None:
        path.write_text(content)
    result = check(str(path))
    assert result["failed"] and said in result["msg"]


def test_a_key_in_the_file_is_not_shown(serve: Serve, tmp_path: Path, check: Run) -> None:
    path = tmp_path / "opencode.json"
    options = {"baseURL": serve().url, "apiKey": "sk-canary"}
    path.write_text(json.dumps({"provider": {"vllm": {"options": options, "models": {"sk-canary": {}}}}}))
    assert "sk-canary" not in str(check(str(path)))
