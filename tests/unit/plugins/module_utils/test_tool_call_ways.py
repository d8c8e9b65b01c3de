# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each probe that has a way of its own: a fault that only it sees, its finding, and the cause that is named."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.diagnosis import RULES, diagnose
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import PROBES
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, Outcome, run
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_endpoint as fake
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import Answer, FakeEndpoint, Refusal
from ansible_collections.toolserve.gpunode.tests.unit.plugins.module_utils import test_tool_call_run as basic

Serve = Callable[..., FakeEndpoint]
KEY = "k"


def check(endpoint: FakeEndpoint, *probes: str, **options: Any) -> Outcome:
    client = OpenAIClient(endpoint.url, options.pop("api_key", None), timeout=5)
    return run(client, Options(**{"seed": 11, "probes": list(probes), **options}))


def verdict(outcome: Outcome) -> str:
    (result,) = outcome.results
    return result.verdict


def forced(request: Any) -> bool:
    return request.get("tool_choice", "auto") not in ("auto", "none")


def replayed(request: Any) -> bool:
    return request["messages"][-1]["role"] == "tool"


def text_when(condition: Callable[[Any], bool], text: str = "I cannot do that.") -> fake.Spoiler:
    return lambda request, answer: Answer(text) if condition(request) else answer


def refused_when(condition: Callable[[Any], bool], message: str, status: int = 400) -> fake.Spoiler:
    return lambda request, answer: Refusal(status, message) if condition(request) else answer


def another_tool(request: Any, answer: Answer) -> Answer:
    return replace(answer, calls=(("current_time", "{}"),)) if forced(request) else answer


def outside_the_schema(request: Any, answer: Answer) -> Answer:
    return replace(answer, calls=((answer.calls[0][0], '{"unit": "kelvin"}'),)) if forced(request) else answer


def calls_all_the_same(request: Any, answer: Answer) -> Answer:
    """The natural answer, whatever the request forbids."""
    free = {name: value for name, value in request.items() if name not in ("tool_choice", "parallel_tool_calls")}
    return fake.right_answer(free)


def one_result_lost(request: Any, answer: Answer) -> Answer:
    return Answer(f"It says: {request['messages'][-1]['content']}") if replayed(request) else answer


def latin_1(name: str, arguments: str) -> tuple[str, str]:
    text = json.dumps(json.loads(arguments), ensure_ascii=False)
    return name, text.encode().decode("latin-1").replace("\x85", "").replace("\x80", "")


def completed(request: Any, answer: Answer) -> Answer:
    """A parser that closes what max_tokens cut."""
    if request["max_tokens"] >= answer.completion_tokens or not answer.calls:
        return answer
    return replace(answer, calls=(("read", '{"filePath": "/sr"}'),), finish_reason="length", completion_tokens=1)


def spaces_without_end(request: Any, answer: Answer) -> Answer:
    calls = (("configure", '{"label":' + 500 * " "),)
    return replace(answer, calls=calls, completion_tokens=512, finish_reason="length") if forced(request) else answer


def cut_without_saying_so(request: Any, answer: Answer) -> Answer:
    if request["max_tokens"] >= answer.completion_tokens or not answer.calls:
        return answer
    return replace(answer, calls=(("read", '{"filePath": "/sr'),), finish_reason="stop", completion_tokens=1)


def mixed_up() -> fake.Spoiler:
    """A parser whose state is shared: whoever is not alone gets the call of another."""
    lock, last, running = threading.Lock(), [""], [0]
    barrier = threading.Event()

    def spoil(request: Any, answer: Answer) -> Answer:
        with lock:
            running[0] += 1
            number = running[0]
            mine, last[0] = last[0], answer.calls[0][1] if answer.calls else ""
        barrier.wait(0.05)
        return replace(answer, calls=(("read", mine),)) if mine and number in (2, 3) else answer

    return spoil


def lost_in_the_crowd() -> fake.Spoiler:
    seen: set[str] = set()

    def spoil(request: Any, answer: Answer) -> Answer:
        question = request["messages"][0]["content"]
        first, _ = question not in seen, seen.add(question)
        return Answer("I would read it.") if first and len(seen) == 3 else answer

    return spoil


def no_usage(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk for chunk in chunks if "usage" not in chunk]


def page(status: int) -> tuple[int, str, bytes]:
    return status, "application/json", b"{}"


# fault -> the probe that sees it, what the server is like, options, a finding, words of the first cause
FAULTS: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, str]] = {
    "not healthy": ("T0-endpoint", {"health": 503}, {}, "NotHealthy", "The engine has died"),
    "an unknown model fails the server": (
        "T1-unknown-model",
        {"spoil": None, "pages": {"/v1/chat/completions": page(500)}},
        {},
        "ProtocolError",
        "HTTP 500",
    ),
    "several calls although forbidden": (
        "T4-one-at-a-time",
        {"spoil": calls_all_the_same},
        {},
        "ChoiceIgnored",
        "parallel_tool_calls is false, and 2 calls arrive",
    ),
    "a template that never ends": (
        "T9-nested",
        {"spoil": refused_when(lambda _request: True, "maximum recursion depth exceeded while calling an object")},
        {},
        "RequestFailed",
        "goes round in circles",
    ),
    "named: text": ("T5-named", {"spoil": text_when(forced)}, {}, "ChoiceIgnored", "does not enforce it"),
    "named: another tool": ("T5-named", {"spoil": another_tool}, {}, "ChoiceIgnored", "another tool was called"),
    "named: schema not enforced": ("T5-enforced", {"spoil": outside_the_schema}, {}, "SchemaMismatch", "kelvin"),
    "required: text": ("T6-required", {"spoil": text_when(forced)}, {}, "ChoiceIgnored", "no call was made"),
    "required: schema not enforced": ("T6-enforced", {"spoil": outside_the_schema}, {}, "SchemaMismatch", "kelvin"),
    "none: a call": ("T7-none", {"spoil": calls_all_the_same}, {}, "ChoiceIgnored", "tool_choice is none"),
    "one of two results lost": ("T8-two-results", {"spoil": one_result_lost}, {}, "WrongAnswer", "tool's result"),
    "text in another encoding": ("T9-text", {"spoil": fake.first_call(latin_1)}, {}, "WrongArguments", "copy values"),
    "nested values as text": (
        "T9-nested",
        {"spoil": fake.first_call(lambda name, text: (name, text.replace("null", '"null"')))},
        {},
        "SchemaMismatch",
        "must be null",
    ),
    "spaces without end": ("T9-nested", {"spoil": spaces_without_end}, {}, "AnswerCut", "most of them white space"),
    "a cut call completed": ("T11-cut", {"spoil": completed}, {}, "TruncatedCall", "completes calls"),
    "a cut call, and nobody says so": (
        "T11-cut",
        {"spoil": cut_without_saying_so},
        {},
        "WrongFinishReason",
        "finish_reason is 'stop' and must be 'length'",
    ),
    "a call beside text left in the text": (
        "T12-text-and-call",
        {"spoil": fake.markup_left("tools")},
        {},
        "MarkupLeak",
        "<tools>",
    ),
    "calls of others": ("T13-concurrent", {"spoil": mixed_up()}, {}, "ConcurrencyFault", "share state"),
    "a call lost beside others": ("T13-concurrent", {"spoil": lost_in_the_crowd()}, {}, "ConcurrencyFault", "alone"),
    "too many tools": (
        "T14-many-tools",
        {"spoil": refused_when(lambda request: len(request.get("tools", [])) > 10, "Schema too complex", 500)},
        {},
        "RequestFailed",
        "The server failed",
    ),
    "a history that is not taken back": (
        "T15-own-id",
        {"spoil": refused_when(replayed, "Tool call ids must be 9 characters")},
        {},
        "RequestFailed",
        "no agent gets past its first call",
    ),
    "ids that Mistral's template refuses": (
        "T15-own-id",
        {},
        {"profile": {"tool_calls": {"parser": "mistral"}}},
        "BadToolId",
        "mistral_parallel",
    ),
    "a template without tools": ("T16-template", {"tokens_per_tool": 0}, {}, "ToolsNotRendered", "ignores tools"),
    "max_tokens breaks the server": (
        "T17-limits",
        {"spoil": refused_when(lambda request: request["max_tokens"] > 2000, "boom", 500)},
        {},
        "RequestFailed",
        "The server failed",
    ),
    "a shorter context than promised": (
        "T17-full",
        {},
        {"profile": {"context": {"maximum": 23232, "output": 512}}},
        "ContextMismatch",
        "promises clients 23232 tokens, and the server has 2048",
    ),
    "answers longer than the context": (
        "T17-full",
        {},
        {"profile": {"context": {"maximum": 2048, "output": 32000}}},
        "ContextMismatch",
        "an answer of 32000 tokens in a context of 2048",
    ),
    "no answer to a long prompt": (
        "T17-full",
        {"spoil": text_when(lambda request: len(request["messages"][0]["content"]) > 1000, "")},
        {},
        "WrongAnswer",
        "the answer is empty",
    ),
    "a prompt cut silently": (
        "T17-overflow",
        {"cuts_prompts": True},
        {},
        "ContextMismatch",
        "a part of it was left out",
    ),
    "an open door": (
        "T18-access",
        {"host_opens": True, "api_key": KEY},
        {"api_key": KEY},
        "Unprotected",
        "CVE-2026-48746",
    ),
    "reasoning parameters refused for a model that reasons": (
        "T19-reasoning",
        {"spoil": refused_when(lambda request: "chat_template_kwargs" in request, "not supported")},
        {"profile": {"tool_calls": {"reasoning_parser": "qwen3"}}},
        "ParametersRefused",
        "enable_thinking: HTTP 400: not supported | The server refuses parameters",
    ),
    "reasoning parameters break the server": (
        "T19-reasoning",
        {"spoil": refused_when(lambda request: "reasoning_effort" in request, "boom", 500)},
        {},
        "ParametersHarm",
        "right without reasoning_effort, and wrong with it: HTTP 500: boom | The server stumbles over",
    ),
    "reasoning parameters make the model think aloud": (
        "T19-reasoning",
        {"spoil": text_when(lambda request: "chat_template_kwargs" in request, "<think>A path. I read it.</think>")},
        {},
        "ParametersHarm",
        "right without enable_thinking, and wrong with it: reasoning was left in content as <think>",
    ),
    "named: refused": (
        "T5",
        {"spoil": refused_when(forced, "not supported")},
        {"probes": ["T3", "T5"]},
        "RequestFailed",
        "does not support this value of tool_choice",
    ),
}


@functools.cache
def outcome_of(fault: str) -> Outcome:
    probe, fields, options, _finding, _cause = FAULTS[fault]
    with FakeEndpoint(**fields).serving() as endpoint:
        return check(endpoint, **{"probes": [probe], **options})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen_and_named(fault: str) -> None:
    probe, _fields, _options, finding, cause = FAULTS[fault]
    outcome = outcome_of(fault)
    failed = [result for result in outcome.results if result.verdict == "fail"]
    assert {result.probe.number for result in failed} == {probe.partition("-")[0]}
    assert finding in {found.name for result in failed for found in result.findings if not found.warning}
    first = diagnose(outcome)[0]
    assert cause in f"{first.symptom} | {first.cause} | {first.fix}"


def test_every_probe_is_shown_to_fail() -> None:
    shown = {probe for probe, *_rest in FAULTS.values()}
    shown |= {name for _fields, probes, *_rest in basic.FAULTS.values() for name in probes}
    assert {probe.id for probe in PROBES} <= shown


def test_every_rule_is_shown_to_fire(serve: Serve, dead_url: str) -> None:
    """Each rule of the diagnosis fires for one of the faults in these two files."""
    outcomes = [basic.outcome_of(fault) for fault in basic.FAULTS]
    outcomes += [outcome_of(fault) for fault in FAULTS]
    outcomes += [
        check(FakeEndpoint(url=dead_url)),
        check(serve(api_key="secret")),
        check(serve(), model="other"),
    ]
    silent = [rule.__name__ for rule in RULES if not any(rule(outcome) for outcome in outcomes)]
    assert silent == []


# Where two rules have something to say, and the first of them has the better word.
TWO_SAY = (
    "arguments broken in the stream",
    "leak only in the stream",
    "calls of others",
    "reasoning parameters make the model think aloud",
)


@pytest.mark.parametrize("fault", [*basic.FAULTS, *FAULTS])
def test_no_other_rule_fires(fault: str) -> None:
    outcome = basic.outcome_of(fault) if fault in basic.FAULTS else outcome_of(fault)
    fired = [rule.__name__ for rule in RULES if rule(outcome)]
    assert 1 <= len(fired) <= (2 if fault in TWO_SAY else 1), fired


def test_no_rule_fires_for_a_sound_server(serve: Serve) -> None:
    outcome = check(serve(api_key=KEY), api_key=KEY)
    assert [rule.__name__ for rule in RULES if rule(outcome)] == []


@pytest.mark.parametrize("parameter", ["reasoning_effort", "chat_template_kwargs"])
def test_reasoning_parameters_refused_for_a_model_that_does_not_reason(serve: Serve, parameter: str) -> None:
    refusing = serve(spoil=refused_when(lambda request: parameter in request, "not supported"))
    outcome = check(refusing, "T3-read", "T19")
    assert outcome.passed and [result.verdict for result in outcome.results] == ["pass", "warn"]
    (cause,) = diagnose(outcome)
    assert "HTTP 400: not supported" in cause.symptom and '"reasoning": false' in cause.fix


def test_reasoning_parameters_are_what_agents_send(serve: Serve) -> None:
    outcome = check(endpoint := serve(), "T19")
    assert (verdict(outcome), diagnose(outcome)) == ("pass", [])
    effort, thinking = endpoint.requests
    assert effort["reasoning_effort"] == "medium" and effort["stream"] and effort["tools"]
    assert thinking["chat_template_kwargs"] == {"enable_thinking": True}


def test_what_is_wrong_without_reasoning_parameters_is_not_their_doing(serve: Serve) -> None:
    assert verdict(check(serve(spoil=fake.flags_missing), "T19")) == "skip"
    assert verdict(check(serve(spoil=fake.markup_left("tools")), "T19")) == "skip"


def test_a_slip_of_the_model_beside_reasoning_parameters_may_be_tried_again(serve: Serve) -> None:
    slips = iter([True])
    slipping = text_when(lambda request: "reasoning_effort" in request and next(slips, False))
    (result,) = check(serve(spoil=slipping), "T19").results
    assert (result.verdict, result.tries) == ("pass", 2)


# What is right for one release and not for another.
def named_says(reason: str, *, streamed: bool | None = None) -> fake.Spoiler:
    def spoil(request: Any, answer: Answer) -> Answer:
        meant = forced(request) and streamed in (None, request["stream"])
        return replace(answer, finish_reason=reason) if meant else answer

    return spoil


@pytest.mark.parametrize(
    ("version", "probe", "reason", "expected"),
    [
        ("0.32.0", "T5-named", "stop", "pass"),
        ("0.32.0", "T5-named", "tool_calls", "warn"),
        ("0.9.2", "T6-required", "stop", "pass"),
        ("0.11.0", "T6-required", "stop", "warn"),
        ("0.32.0", "T6-required", "stop", "warn"),
        ("0.32.0", "T6-required", "tool_calls", "pass"),
        ("0.32.0", "T6-required", "length", "fail"),
        (None, "T6-required", "stop", "pass"),
        (None, "T6-required", "tool_calls", "pass"),
        (None, "T6-required", "content_filter", "fail"),
    ],
)
def test_finish_reason_goes_by_release(
    serve: Serve, version: str | None, probe: str, reason: str, expected: str
) -> None:
    endpoint = serve(version=version, spoil=named_says(reason))
    assert verdict(check(endpoint, probe)) == expected


@pytest.mark.parametrize(
    ("version", "clamps", "expected"),
    [
        ("0.32.0", True, "pass"),
        ("0.32.0", False, "warn"),
        ("0.28.0", False, "pass"),
        ("0.28.0", True, "warn"),
        ("0.30.0", True, "pass"),
        ("0.30.0", False, "pass"),
        (None, True, "pass"),
        (None, False, "pass"),
    ],
)
def test_max_tokens_beyond_the_context_goes_by_release(
    serve: Serve, version: str | None, clamps: bool, expected: str
) -> None:
    assert verdict(check(serve(version=version, clamps=clamps), "T17-limits")) == expected


@pytest.mark.parametrize(("version", "expected"), [("0.11.2", "pass"), ("0.12.0", "fail"), (None, "pass")])
def test_several_calls_although_forbidden_go_by_release(serve: Serve, version: str | None, expected: str) -> None:
    assert verdict(check(serve(version=version, spoil=calls_all_the_same), "T4-one-at-a-time")) == expected


@pytest.mark.parametrize(("version", "expected"), [("0.30.0", "pass"), ("0.31.0", "warn"), ("0.32.0", "warn")])
def test_a_cut_call_may_say_tool_calls_up_to_0_30(serve: Serve, version: str, expected: str) -> None:
    def spoil(request: Any, answer: Answer) -> Answer:
        made = cut_without_saying_so(request, answer)
        return made if made is answer else replace(made, finish_reason="tool_calls")

    assert verdict(check(serve(version=version, spoil=spoil), "T11-cut")) == expected


def test_a_model_that_is_served_under_every_name_is_a_warning(serve: Serve) -> None:
    endpoint = serve()
    endpoint.models = [{"id": name, "max_model_len": 2048} for name in ("pocket", "no-such-model")]
    assert verdict(check(endpoint, "T1-unknown-model")) == "warn"


def test_markup_in_a_text_that_must_not_call_is_a_warning(serve: Serve) -> None:
    text = '<tools>{"name": "read", "arguments": {}}</tools>'
    endpoint = serve(spoil=text_when(lambda request: request["tool_choice"] == "none", text))
    assert verdict(check(endpoint, "T7-none")) == "warn"


def test_the_cut_is_within_the_arguments(serve: Serve) -> None:
    endpoint = serve()
    assert verdict(check(endpoint, "T11-cut")) == "pass"
    assert [request["max_tokens"] for request in endpoint.requests] == [512, 13, 13]


def test_without_usage_the_cut_comes_early_and_prompts_cannot_be_measured(serve: Serve) -> None:
    endpoint = serve(spoil_chunks=no_usage)
    assert verdict(check(endpoint, "T11-cut")) == "pass"
    assert endpoint.requests[1]["max_tokens"] == 16


def test_a_mistake_of_the_model_is_not_laid_to_the_crowd(serve: Serve) -> None:
    """Wrong beside others and wrong alone."""
    questions: list[str] = []

    def spoil(request: Any, answer: Answer) -> Answer:
        question = request["messages"][0]["content"]
        questions.append(question)
        return Answer("What file?") if question == questions[0] else answer

    endpoint = serve(spoil=spoil)
    outcome = check(endpoint, "T13-concurrent")
    assert verdict(outcome) == "pass" and len(endpoint.requests) == 9
    assert any(name.endswith("alone") for name in outcome.results[0].answers)


def test_eight_questions_are_asked_at_the_same_moment(serve: Serve) -> None:
    barrier = threading.Barrier(8)

    def spoil(_request: Any, answer: Answer) -> Answer:
        barrier.wait(5)
        return answer

    endpoint = serve(spoil=spoil)
    assert verdict(check(endpoint, "T13-concurrent")) == "pass"
    assert len({request["messages"][0]["content"] for request in endpoint.requests}) == 8
    assert all(request["stream"] for request in endpoint.requests)


def test_the_call_is_replayed_as_it_came(serve: Serve) -> None:
    endpoint = serve()
    assert verdict(check(endpoint, "T15-own-id")) == "pass"
    first, second, third, fourth = endpoint.requests
    for asked, again in ((first, second), (third, fourth)):
        assert again["messages"][0] == asked["messages"][0] and again["stream"] == asked["stream"]
        call = again["messages"][1]["tool_calls"][0]
        assert call["id"] == again["messages"][2]["tool_call_id"] == f"chatcmpl-tool-{0:032x}"
        assert json.loads(call["function"]["arguments"])["filePath"] in asked["messages"][0]["content"]


def test_the_context_is_filled_up_to_the_output(serve: Serve) -> None:
    endpoint = serve()
    assert verdict(check(endpoint, "T17-full", profile={"context": {"maximum": 1900, "output": 300}})) == "pass"
    assert endpoint.requests[-1]["max_tokens"] == 300
    assert endpoint.prompt_tokens(endpoint.requests[-1]) == 1600


@pytest.mark.parametrize("probe", ["T17-limits", "T17-full", "T17-overflow"])
def test_a_context_of_unknown_length_is_not_probed(serve: Serve, probe: str) -> None:
    endpoint = serve()
    endpoint.models = [{"id": "pocket"}]
    (result,) = check(endpoint, probe).results
    assert result.verdict == "skip" and "does not say how long" in result.observed


def test_a_key_that_protects_passes_and_none_on_loopback_is_no_matter(serve: Serve) -> None:
    assert verdict(check(serve(api_key=KEY), "T18", api_key=KEY)) == "pass"
    assert verdict(check(serve(), "T18")) == "skip"


def test_a_key_that_nobody_needs_is_a_failure(serve: Serve) -> None:
    assert verdict(check(serve(), "T18", api_key=KEY)) == "fail"


def test_the_host_header_of_old_releases_is_a_warning_on_loopback(serve: Serve) -> None:
    endpoint = serve(api_key=KEY, host_opens=True, version="0.9.2")
    assert verdict(check(endpoint, "T18", api_key=KEY)) == "warn"


def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the address were not this machine's own."""
    monkeypatch.setattr(OpenAIClient, "on_loopback", False)


def test_away_from_loopback_an_open_server_is_a_warning(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    away(monkeypatch)
    outcome = check(serve(), "T18")
    assert verdict(outcome) == "warn" and "no API key is needed" in outcome.results[0].findings[0].message


def test_away_from_loopback_unguarded_paths_are_a_warning(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    away(monkeypatch)
    outcome = check(serve(api_key=KEY, shows_metrics=True, pages={"/tokenize": page(405)}), "T18", api_key=KEY)
    assert [finding.message for finding in outcome.results[0].findings] == [
        "/metrics is reachable without the key (HTTP 200)",
        "/tokenize is reachable without the key (HTTP 405)",
    ]
    assert verdict(outcome) == "warn"
    assert verdict(check(serve(api_key=KEY), "T18", api_key=KEY)) == "pass"


def test_the_endpoint_tells_what_it_has(serve: Serve) -> None:
    (result,) = check(serve(shows_metrics=True), "T0").results
    assert result.observed == "endpoint: serves pocket, context of 2048 tokens, vLLM 0.32.0, metrics"
    (result,) = check(serve(version=None), "T0").results
    assert result.verdict == "pass" and "no vLLM version, no metrics" in result.observed


def test_of_what_cannot_be_reached_only_the_endpoint_fails(dead_url: str) -> None:
    results = check(FakeEndpoint(url=dead_url)).results
    assert [result.verdict for result in results] == ["fail"] + ["inconclusive"] * (len(PROBES) - 1)


def test_a_small_context_is_filled_too(serve: Serve) -> None:
    endpoint = serve(models=[{"id": "pocket", "max_model_len": 64}])
    assert verdict(check(endpoint, "T17-full", max_tokens=16)) == "pass"
    assert [endpoint.prompt_tokens(request) for request in endpoint.requests] == [12, 24, 48]


def test_where_nothing_works_no_single_option_is_blamed(serve: Serve) -> None:
    spoil = refused_when(lambda request: request["max_tokens"] == 512, "max_tokens is greater than max_model_len")
    outcome = check(serve(spoil=spoil))
    assert [cause.cause for cause in diagnose(outcome) if "tool_choice" in cause.symptom] == []
    assert "do not fit into the context" in diagnose(outcome)[0].cause and len(diagnose(outcome)) == 1


def test_a_proxy_that_hangs_up_keeps_everybody_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang_up(_client: OpenAIClient, path: str, **_options: Any) -> int:
        raise EndpointError("unreachable", "connection closed", "", "")

    endpoint = serve(api_key=KEY)
    state = OpenAIClient.status
    monkeypatch.setattr(OpenAIClient, "status", lambda *a, **k: hang_up(*a, **k) if "host" in k else state(*a, **k))
    assert verdict(check(endpoint, "T18", api_key=KEY)) == "pass"


def test_a_model_that_does_not_come_to_an_end_may_try_again(serve: Serve) -> None:
    """Half a call in the text is no leak; the next values go well."""
    questions: list[str] = []

    def spoil(request: Any, answer: Answer) -> Answer:
        questions.append(request["messages"][0]["content"])
        first = questions[-1] == questions[0]
        return Answer('<tools>{"name": "write", "argum', finish_reason="length") if first else answer

    (result,) = check(serve(spoil=spoil), "T9-text").results
    assert (result.verdict, result.tries) == ("pass", 2)


def test_what_follows_from_a_cut_is_not_told_besides() -> None:
    outcome = outcome_of("spaces without end")
    assert {finding.name for finding in outcome.results[0].findings} == {"AnswerCut"}
    assert len(diagnose(outcome)) == 1


def test_evidence_of_a_filled_context_is_short(serve: Serve) -> None:
    (result,) = check(serve(), "T17-overflow").results
    assert len(json.dumps(result.as_dict())) < 6000
