# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import report
from ansible_collections.toolserve.gpunode.plugins.module_utils.diagnosis import diagnose
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, run
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_endpoint as fake
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import Answer, FakeEndpoint

BASIC = ("T1-chat", "T2-no-tool", "T3-read", "T3-bash", "T4-parallel", "T8-result", "T9-enum", "T10-no-arguments")
Serve = Callable[..., FakeEndpoint]


def told(endpoint: FakeEndpoint, **options: Any) -> tuple[str, str]:
    chosen = {"seed": 5, "probes": list(BASIC), **options}
    outcome = run(OpenAIClient(endpoint.url, timeout=5), Options(**chosen))
    built = report.build(outcome, diagnose(outcome))
    return report.as_text(built), report.as_markdown(built)


def rows(text: str) -> list[list[str]]:
    table = text[text.index("probe ") :].split("\n\n")[0].split("\n")
    return [[cell for cell in line.split("  ") if cell] for line in table]


def test_a_pass(serve: Serve) -> None:
    endpoint = serve()
    text, markdown = told(endpoint)
    assert text.startswith(f"Tool calls at {endpoint.url}: model pocket, vLLM 0.32.0\n")
    assert len(rows(text)) == 2 + 8
    assert '"name": "read"' in text and '"id": "chatcmpl-tool-' in text
    assert '"arguments": "{\\"filePath\\": \\"/' in text
    assert "A tool call as it arrived (T3-read, streamed):" in text
    assert text.endswith("\n\n8 probes: 8 passed")
    assert markdown.endswith("\n**8 probes: 8 passed**\n")
    assert "Cause" not in text and "In detail" not in text


def test_a_failure_shows_what_was_left_and_what_to_do(serve: Serve) -> None:
    text, markdown = told(serve(spoil=fake.markup_left("tools")))
    assert "What was left in content (T3-read, plain):\n  <tools>{" in text
    for label in ("What was seen: ", "Cause: ", "Fix: "):
        assert text.count(f"\n{label}") == 1
    assert "--tool-call-parser qwen_tools" in text and "tool_calls.parser" in text
    assert "T3-read, T3-bash, T4-parallel, T9-enum, T10-no-arguments: MarkupLeak: a tool call was left" in text
    assert text.endswith("8 probes: 3 passed, 5 failed")
    assert "\n````\n<tools>{" in markdown, "markup must be shown, not rendered"
    assert "left in the text as &lt;tools>" in markdown


def test_every_verdict_has_its_word(serve: Serve) -> None:
    def spoil(request: Any, answer: Answer) -> Any:
        if "joke" in request["messages"][-1]["content"]:
            return replace(answer, finish_reason="length")
        if answer.calls and answer.calls[0][0] == "get_weather":
            return fake.Refusal(404, "The model is gone.")
        return answer

    text, _markdown = told(serve(spoil=spoil), profile={"capabilities": {"parallel": False}}, concurrency=1)
    assert text.endswith("8 probes: 4 passed, 1 passed with a warning, 1 failed, 1 inconclusive, 1 skipped")
    assert "T4-parallel: the profile says that parallel is not supported" in text
    assert "T10-no-arguments: not asked: HTTP 404: The model is gone" in text
    assert ["T9-enum", "two arguments, one an enum", "HTTP 404", "-", "fail"] in [
        [cell.strip() for cell in row] for row in rows(text)
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"spoil": fake.markup_left("tools")},
        {"spoil": fake.flags_missing},
        {"spoil": lambda request, answer: Answer("word " * 100 + "<tools>" + "x" * 300)},
        {"spoil": lambda request, answer: replace(answer, finish_reason="a|b\n*c*`d`\x1b[31m")},
        {"spoil": lambda request, answer: Answer("<tools>\x1b[31m\r\u2028red")},
        {"spoil": lambda request, answer: fake.Refusal(400, "\x1b[31mred")},
        {"spoil": lambda request, answer: Answer(calls=(("no_such_tool_" * 10, "{}"),))},
        {"seconds_per_chat": 0.01, "version": None},
    ],
)
def test_it_fits_into_100_columns_without_colours(serve: Serve, fields: dict[str, Any]) -> None:
    text, markdown = told(serve(**fields), tries=1)
    assert max(len(line) for line in text.split("\n")) <= 100
    assert "\x1b" not in text and "\x1b" not in markdown
    table = [line for line in markdown.split("\n") if line.startswith("|")]
    assert len(table) == 10 and {line.replace("\\|", "").count("|") for line in table} == {6}


def test_the_longest_class_fits_into_the_table(serve: Serve) -> None:
    def spoil(request: Any, answer: Answer) -> Any:
        return replace(answer, finish_reason="content_filter")

    text, _markdown = told(serve(spoil=spoil))
    assert "WrongFinishReason  WrongFinishReason  fail" in text


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    built = report.Report("title", [("T1", "a | b", "-", "-", "pass")], "", "", [], [], "1 probe: 1 passed")
    assert "| T1 | a \\| b | - | - | pass |\n" in report.as_markdown(built)


def test_one_probe_is_one_probe(serve: Serve) -> None:
    assert told(serve(), probes=["T9-enum"])[0].endswith("\n1 probe: 1 passed")


def test_nothing_there(dead_url: str) -> None:
    text, _markdown = told(FakeEndpoint(url=dead_url))
    assert "model unknown, server version unknown" in text
    assert "What was seen: connection refused" in text
    assert text.endswith("8 probes: 8 inconclusive")
