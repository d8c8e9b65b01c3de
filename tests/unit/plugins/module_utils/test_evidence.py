# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import evidence, evidence_formats, evidence_markdown

SCHEMA = Path(__file__).parents[4] / "roles" / "verify" / "files" / "evidence.schema.json"
NOW = "2026-11-21T12:00:00Z"
CANARY = "sk-canary-7f3a"


def probe(verdict: str = "pass", **more: Any) -> dict[str, Any]:
    return {
        "id": "T3-read",
        "title": "one call, a path copied",
        "verdict": verdict,
        "expected": "read",
        "observed": "text",
        "findings": [],
        "evidence": {"plain": {"seconds": 0.25}, "streamed": {"seconds": 0.5}},
        "tries": 1,
        **more,
    }


def tool_calls(*probes: dict[str, Any], passed: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "passed": passed,
        "probes": list(probes),
        "causes": [],
        "seed": 7,
        "model": "pocket",
        "server": {"base_url": "http://127.0.0.1:8000/v1", "version": "0.32.0"},
        "summary": "a table",
        "summary_markdown": "## A table",
        "changed": False,
        **more,
    }


THROUGHPUT = {
    "verdict": "warn",
    "decode_tokens_per_second": 14.5,
    "ttft_seconds": 0.2,
    "efficiency": None,
    "concurrency": [{"concurrency": 4, "aggregate_tokens_per_second": 40.0}],
    "causes": [{"symptom": "slow", "cause": "eager", "fix": "graphs", "confidence": "likely"}],
}
CONTAINER = {
    "Name": "/vllm-server",
    "Image": "sha256:1234",
    "Config": {
        "Image": "vllm/vllm-openai:v0.32.0",
        "Cmd": ["--model", "m"],
        "Env": [f"VLLM_API_KEY={CANARY}"],
        "Labels": {"toolserve.gpunode.qwen_tools.py": "ab", "toolserve.gpunode.profile": "pocket", "other": "x"},
    },
    "State": {"StartedAt": "2026-11-21T11:00:00Z"},
}


def document(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    built = evidence.build("node1", NOW, result, **more)
    jsonschema.validate(built, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return built


@pytest.mark.parametrize(
    ("verdicts", "passed", "throughput", "expected"),
    [
        (["pass", "skip"], True, None, "pass"),
        (["pass", "warn"], True, None, "warn"),
        (["pass", "fail", "inconclusive"], False, None, "fail"),
        (["pass"], True, {"verdict": "fail"}, "fail"),
        (["pass"], True, {"verdict": "inconclusive"}, "inconclusive"),
        (["skip"], False, None, "inconclusive"),
        ([], False, None, "inconclusive"),
    ],
)
def test_the_worst_verdict_is_the_whole_s(
    verdicts: list[str], passed: bool, throughput: dict[str, Any] | None, expected: str
) -> None:
    result = tool_calls(*map(probe, verdicts), passed=passed)
    assert evidence.verdict(result, throughput) == expected


def test_the_document_says_what_was_served_on_what() -> None:
    built = document(
        tool_calls(probe()),
        profile={"name": "pocket", "model": {"id": "p", "revision": "c0ffee"}},
        throughput=THROUGHPUT,
        gpu={"driver": {"version": "595.58"}, "gpus": [{"name": "L4"}]},
        container=CONTAINER,
        image={"RepoDigests": ["vllm/vllm-openai@sha256:99"]},
    )
    assert built["model"] == {"served_name": "pocket", "profile": "pocket", "id": "p", "revision": "c0ffee"}
    assert built["container"]["image_digest"] == "sha256:99"
    assert built["container"]["files"] == {"qwen_tools.py": "sha256:ab"}
    assert (built["driver"], built["gpus"]) == ("595.58", [{"name": "L4"}])
    assert built["causes"] == THROUGHPUT["causes"]
    assert "summary" not in built["tool_calls"] and "causes" not in built["throughput"]


def test_an_endpoint_checked_from_outside_has_no_container() -> None:
    built = document(tool_calls(probe()))
    assert (built["container"], built["throughput"], built["gpus"], built["driver"]) == (None, None, [], None)


def test_no_secret_gets_in_whichever_way_it_came() -> None:
    leaky = tool_calls(
        probe(observed=f"HTTP 401: {CANARY} is wrong", evidence={CANARY: {"seconds": 1, "list": [f"x{CANARY}x"]}}),
        server={"base_url": f"http://user:{CANARY}@host/v1"},
    )
    built = document(leaky, container={**CONTAINER, "Config": {"Cmd": ["--api-key", CANARY]}}, secrets=["", CANARY])
    shown = json.dumps(built) + evidence_formats.junit(built) + evidence_formats.prometheus_textfile(built)
    assert CANARY not in shown + evidence_markdown.markdown(built, [])
    assert evidence.REMOVED in shown


def test_junit_counts_and_tells() -> None:
    failed = probe("fail", findings=[{"class": "MarkupLeak", "message": "a tag <tools> \x00 in the text"}])
    built = document(
        tool_calls(probe(), failed, probe("skip"), probe("inconclusive"), passed=False), throughput=THROUGHPUT
    )
    calls, speed = ElementTree.fromstring(evidence_formats.junit(built).partition("\n")[2])
    assert {name: calls.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = calls.find("testcase/failure")
    assert failure is not None and "MarkupLeak: a tag <tools>" in str(failure.get("message"))
    assert calls[0].get("time") == "0.750"
    assert (speed.get("failures"), speed.get("tests")) == ("0", "1")


def test_junit_of_an_endpoint_that_could_not_be_asked_is_an_error() -> None:
    cause = {"symptom": "refused", "cause": "down", "fix": "start it", "confidence": "certain"}
    built = document(tool_calls(passed=False, causes=[cause]))
    [suite] = ElementTree.fromstring(evidence_formats.junit(built).partition("\n")[2])
    assert suite.get("errors") == "1"


def test_prometheus_shows_what_was_measured_and_nothing_else() -> None:
    text = evidence_formats.prometheus_textfile(
        document(tool_calls(probe("fail"), passed=False), throughput=THROUGHPUT)
    )
    assert 'toolserve_verify_success{host="node1",model="pocket"} 0' in text
    assert 'toolserve_verify_timestamp_seconds{host="node1",model="pocket"} 1795262400' in text
    assert 'toolserve_verify_probe_success{host="node1",model="pocket",probe="T3-read"} 0' in text
    assert 'toolserve_verify_decode_tokens_per_second{host="node1",model="pocket"} 14.5' in text
    assert 'aggregate_tokens_per_second{host="node1",model="pocket",concurrency="4"} 40.0' in text
    assert "efficiency" not in text and "roofline" not in text


def test_prometheus_escapes_labels_and_declares_each_metric_once() -> None:
    text = evidence_formats.prometheus_textfile(document(tool_calls(probe(), probe(id="T4"), model='a"b\\c\n')))
    assert 'model="a\\"b\\\\c\\n"' in text
    assert text.count("# TYPE toolserve_verify_probe_success gauge") == 1


def test_the_page_begins_with_the_verdict_and_what_was_served() -> None:
    gpu = {
        "name": "RTX 4000 SFF Ada",
        "memory_total_bytes": 20 * 2**30,
        "peak_bandwidth_bytes_per_second": 280e9,
        "sources": {"peak_bandwidth_bytes_per_second": "nvml"},
    }
    built = document(
        tool_calls(probe("fail"), passed=False, model="a|b"),
        profile={"name": "q", "model": {"id": "Qwen/Q", "revision": "c0ffee"}},
        gpu={"driver": {"version": "595.58"}, "gpus": [gpu]},
        container=CONTAINER,
    )
    page = evidence_markdown.markdown(built, ["## A table\n", ""])
    assert page.startswith("# node1: FAILED\n")
    assert "| model | a\\|b = Qwen/Q, revision c0ffee |" in page
    assert "| image digest | sha256:1234 |" in page
    assert "| GPU 0 | RTX 4000 SFF Ada, 20.0 GiB, 280 GB/s (nvml) |" in page
    assert page.endswith("## A table\n")
