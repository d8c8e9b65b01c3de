# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import endpoint_exposure
from ansible_collections.toolserve.gpunode.plugins.modules import endpoint_info
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

Serve = Callable[..., FakeEndpoint]
Run = Callable[..., dict[str, Any]]
METRICS = Path(__file__).parents[1] / "module_utils/recorded/metrics-vllm-0.32.0.txt"
MODEL = {"id": "pocket", "root": "/models/pocket", "max_model_len": 2048}


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_healthy_endpoint(serve: Serve, run_module: Run, check_mode: bool) -> None:
    url = serve().url
    result = run_module(endpoint_info, base_url=url.removesuffix("/v1"), check_mode=check_mode)
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert set(result.pop("metrics").values()) == {None}
    assert result == {
        "changed": False,
        "base_url": url,
        "reachable": True,
        "healthy": True,
        "version": "0.32.0",
        "models": [MODEL],
        "auth_required": False,
        "error": None,
        "exposure": {"scope": "local", "open_to_all": False, "listens_on": [], "warnings": []},
    }


def test_the_figures_of_vllm(serve: Serve, run_module: Run) -> None:
    page = (200, "text/plain; version=0.0.4", METRICS.read_bytes())
    metrics = run_module(endpoint_info, base_url=serve(pages={"/metrics": page}).url)["metrics"]
    assert (metrics["kv_cache_tokens"], metrics["max_concurrency"]) == (139776, 68.25)
    assert (metrics["requests_running"], metrics["generation_tokens"]) == (2, 2668)


@pytest.mark.parametrize("page", [(500, "text/plain", b"broken"), (200, "text/html", b"<html>"), (401, "a/b", b"")])
def test_an_endpoint_without_figures_is_no_failure(serve: Serve, run_module: Run, page: Any) -> None:
    result = run_module(endpoint_info, base_url=serve(pages={"/metrics": page}).url, require_reachable=True)
    assert result["healthy"] and set(result["metrics"].values()) == {None}


def test_an_endpoint_that_is_open_to_all_is_warned_about(
    serve: Serve, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(endpoint_exposure, "listeners", lambda _base_url: ["0.0.0.0"])
    monkeypatch.setattr(endpoint_info.AnsibleModule, "warn", lambda _module, warning: warned.append(warning))
    result = run_module(endpoint_info, base_url=serve().url)
    assert result["exposure"]["open_to_all"] is True and result["exposure"]["listens_on"] == ["0.0.0.0"]
    assert warned == result["exposure"]["warnings"] and "open to all" in warned[0]
    result = run_module(endpoint_info, base_url=serve(api_key="k3y").url, api_key="k3y")
    assert result["exposure"]["open_to_all"] is False and len(warned) == 1


def test_nothing_there_is_a_result(dead_url: str, run_module: Run) -> None:
    result = run_module(endpoint_info, base_url=dead_url)
    assert not result.get("failed")
    assert set(result["metrics"].values()) == {None}
    assert (result["reachable"], result["healthy"], result["models"]) == (False, False, [])
    assert result["error"]["kind"] == "unreachable" and result["error"]["seen"] == "connection refused"


def test_nothing_there_is_a_failure_where_it_must_be_there(dead_url: str, run_module: Run) -> None:
    result = run_module(endpoint_info, base_url=dead_url, require_reachable=True)
    assert result["failed"] and "connection refused" in result["msg"] and result["reachable"] is False


@pytest.mark.parametrize(
    ("key", "auth_required", "models", "status"),
    [(None, True, [], 401), ("wrong", True, [], 401), ("right", True, [MODEL], None)],
)
def test_a_key(serve: Serve, run_module: Run, key: Any, auth_required: bool, models: Any, status: Any) -> None:
    result = run_module(endpoint_info, base_url=serve(api_key="right").url, api_key=key)
    assert (result["auth_required"], result["models"]) == (auth_required, models)
    assert (result["error"] or {}).get("status") == status
    assert result["healthy"] and result["reachable"]


def test_a_key_that_nobody_asks_for(serve: Serve, run_module: Run) -> None:
    assert run_module(endpoint_info, base_url=serve().url, api_key="x1y2")["auth_required"] is False


def test_a_server_that_is_not_healthy(serve: Serve, run_module: Run) -> None:
    result = run_module(endpoint_info, base_url=serve(health=503, models=[]).url)
    assert (result["reachable"], result["healthy"], result["models"]) == (True, False, [])


def test_a_server_other_than_vllm(serve: Serve, run_module: Run) -> None:
    result = run_module(endpoint_info, base_url=serve(health=404, version=None).url)
    assert (result["healthy"], result["version"], result["models"]) == (True, None, [MODEL])


def test_a_web_page_is_no_endpoint(serve: Serve, run_module: Run) -> None:
    pages = {"/health": (404, "text/html", b"<html>"), "/v1/models": (200, "text/html", b"<html>")}
    result = run_module(endpoint_info, base_url=serve(pages=pages, version=None).url)
    assert (result["reachable"], result["healthy"]) == (True, False)
    assert result["error"]["kind"] == "protocol" and result["error"]["body"] == "<html>"


def test_unusable_options_fail(run_module: Run) -> None:
    result = run_module(endpoint_info, base_url="localhost:8000")
    assert result["failed"] and "base_url" in result["msg"]
