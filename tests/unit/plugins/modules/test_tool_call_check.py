# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_probes
from ansible_collections.toolserve.gpunode.plugins.modules import tool_call_check
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_endpoint as fake
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

PROBES = tool_call_probes.PROBES
Serve = Callable[..., FakeEndpoint]
Run = Callable[..., dict[str, Any]]
RETURNED = {"passed", "probes", "causes", "server", "model", "seed", "summary", "summary_markdown"}
COLLECTIONS = Path(fake.__file__.partition("ansible_collections")[0])


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_pass(serve: Serve, run_module: Run, check_mode: bool) -> None:
    result = run_module(tool_call_check, base_url=serve().url, check_mode=check_mode)
    assert result.keys() >= RETURNED and not result.get("failed")
    assert result["passed"] is True and result["changed"] is False and result["causes"] == []
    assert len(result["probes"]) == len(PROBES) and result["model"] == "pocket"
    assert result["server"]["version"] == "0.32.0"
    assert result["summary"].endswith("30 probes: 29 passed, 1 skipped")


def test_a_failure_returns_as_much_and_says_why(serve: Serve, run_module: Run) -> None:
    result = run_module(tool_call_check, base_url=serve(spoil=fake.markup_left("tools")).url)
    assert result.keys() >= RETURNED and result["failed"] and result["passed"] is False
    assert result["msg"] == result["summary"]
    assert "<tools>" in result["causes"][0]["symptom"] and "qwen_tools" in result["causes"][0]["fix"]
    assert result["causes"][0]["confidence"] == "certain"
    finding = next(probe for probe in result["probes"] if probe["id"] == "T3-read")["findings"][0]
    assert (finding["class"], finding["severity"]) == ("MarkupLeak", "fail")
    assert finding["detail"].startswith("<tools>{")


def test_the_seed_repeats_the_questions(serve: Serve, run_module: Run) -> None:
    endpoint = serve()
    options = {"base_url": endpoint.url, "probes": ["T3", "T9"], "concurrency": 1}
    seed = run_module(tool_call_check, **options)["seed"]
    run_module(tool_call_check, **options, seed=seed)
    run_module(tool_call_check, **options)
    first, again, other = (endpoint.requests[start : start + 10] for start in (0, 10, 20))
    assert first == again != other


def test_options_reach_the_request(serve: Serve, run_module: Run) -> None:
    endpoint = serve()
    options = {"probes": ["T3"], "max_tokens": 64, "model": "pocket", "profile": {"capabilities": None}}
    result = run_module(tool_call_check, base_url=endpoint.url, **options)
    assert [probe["id"] for probe in result["probes"]] == ["T3-read", "T3-bash"]
    assert {request["max_tokens"] for request in endpoint.requests} == {64}


def test_the_profile_says_what_to_skip(serve: Serve, run_module: Run) -> None:
    profile = {"served_name": "x", "capabilities": {"parallel": False, "streaming": False}}
    endpoint = serve()
    result = run_module(tool_call_check, base_url=endpoint.url, profile=profile)
    assert [probe["id"] for probe in result["probes"] if probe["verdict"] == "skip"] == [
        "T4-parallel",
        "T8-two-results",
        "T18-access",
    ]
    assert not any(request["stream"] for request in endpoint.requests)


def test_nothing_there_is_a_failure_with_a_report(dead_url: str, run_module: Run) -> None:
    result = run_module(tool_call_check, base_url=dead_url)
    assert result["failed"] and result.keys() >= RETURNED
    assert "What was seen: connection refused" in result["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "nowhere"}, "base_url 'nowhere' is not usable"),
        ({"probes": ["T3", "T99"]}, "unknown probes: T99"),
        ({"skip": ["T99"]}, "unknown probes: T99"),
        ({"probes": ["T3"], "skip": ["T3"]}, "every probe that was asked for is skipped"),
        ({"tries": 0}, "tries is 0"),
        ({"pass_rate": 0}, "pass_rate is 0"),
        ({"pass_rate": 1.5}, "pass_rate is 1.5 and must be at most 1"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"max_tokens": -1}, "max_tokens is -1"),
        ({"timeout": 0}, "timeout is 0"),
    ],
)
def test_unusable_options_fail(run_module: Run, options: dict[str, Any], message: str) -> None:
    result = run_module(tool_call_check, **options)
    assert result["failed"] and message in result["msg"]


def test_the_key_is_nowhere_in_the_result(serve: Serve, run_module: Run) -> None:
    endpoint = serve(api_key="canary-4711", spoil=lambda request, answer: fake.Refusal(400, "not for canary-4711"))
    result = run_module(tool_call_check, base_url=endpoint.url, api_key="canary-4711")
    assert endpoint.requests and "canary-4711" not in json.dumps(result)


def test_as_ansible_runs_it(serve: Serve) -> None:
    options = f"base_url={serve(spoil=fake.markup_left('tools')).url} probes=T1,T3"
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", "toolserve.gpunode.tool_call_check"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    done = subprocess.run([*command, "-a", options], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert result["passed"] is False and result["msg"].endswith("4 probes: 2 passed, 2 failed")
