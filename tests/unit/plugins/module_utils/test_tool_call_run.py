# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way from the wire to verdict and cause, against a scripted server."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import tool_call_judge as judging
from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import ChatReply, ToolCall
from ansible_collections.toolserve.gpunode.plugins.module_utils.diagnosis import diagnose
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Expectations
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import Case, ExpectedCall
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import PROBES
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, Outcome, run
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_endpoint as fake
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import Answer, FakeEndpoint, Refusal

Serve = Callable[..., FakeEndpoint]
# Those that ask in one piece and streamed and need nothing of their own; test_tool_call_ways.py has the others.
BASIC = (
    "T1-chat",
    "T2-no-tool",
    "T3-read",
    "T3-bash",
    "T4-parallel",
    "T8-result",
    "T9-enum",
    "T10-no-arguments",
)
ASKING_FOR_CALLS = {"T3-read", "T3-bash", "T4-parallel", "T9-enum", "T10-no-arguments"}


def check(endpoint: FakeEndpoint, *, timeout: float = 5.0, api_key: str | None = None, **options: Any) -> Outcome:
    chosen = {"seed": 11, "probes": list(BASIC), **options}
    return run(OpenAIClient(endpoint.url, api_key, timeout=timeout), Options(**chosen))


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {result.probe.id: result.verdict for result in outcome.results}


def failed(outcome: Outcome) -> set[str]:
    return {name for name, verdict in verdicts(outcome).items() if verdict == "fail"}


def classes(outcome: Outcome, probe_id: str) -> set[tuple[str, str]]:
    result = next(result for result in outcome.results if result.probe.id == probe_id)
    return {(finding.mode, finding.name) for finding in result.findings}


def both(*names: str) -> set[tuple[str, str]]:
    return {(mode, name) for mode in ("plain", "streamed") for name in names}


def first_cause(outcome: Outcome) -> str:
    causes = diagnose(outcome)
    assert causes, "no cause was named"
    assert all(cause.symptom and cause.cause and cause.fix for cause in causes)
    return f"{causes[0].symptom} | {causes[0].cause} | {causes[0].fix}"


@pytest.mark.parametrize("packets", [fake.one_event_each, fake.one_byte_each, fake.with_keep_alives])
def test_a_correct_server_passes_everything(serve: Serve, packets: Any) -> None:
    endpoint = serve(packets=packets)
    outcome = check(endpoint)
    assert set(verdicts(outcome).values()) == {"pass"}
    assert outcome.passed and outcome.model == "pocket" and outcome.state.version == "0.32.0"
    assert diagnose(outcome) == []
    assert len(endpoint.requests) == 2 * len(BASIC)
    assert sum(request["stream"] for request in endpoint.requests) == len(BASIC)


@pytest.mark.parametrize("seed", range(5))
def test_all_probes_pass_with_other_values_too(serve: Serve, seed: int) -> None:
    outcome = check(serve(api_key="k"), seed=seed, probes=[], api_key="k")
    assert verdicts(outcome) == {probe.id: "pass" for probe in PROBES}


def test_results_are_json_and_keep_the_evidence(serve: Serve) -> None:
    result = check(serve(), probes=["T3-read"]).results[0]
    document = json.loads(json.dumps(result.as_dict()))
    assert document["verdict"] == "pass" and document["tries"] == 1
    for mode, stream in (("plain", False), ("streamed", True)):
        evidence = document["evidence"][mode]
        assert evidence["request"]["stream"] is stream
        assert evidence["request"]["tools"][:2] == ["read", "write"]
        assert evidence["response"]["tool_calls"][0]["function"]["name"] == "read"
        assert evidence["response"]["finish_reason"] == "tool_calls"
        assert evidence["seconds"] > 0


# One fault each: what the server does wrong, which probes fail, the findings of one of them, and the cause named first.
def not_json(name: str, arguments: str) -> tuple[str, str]:
    return name, arguments.replace("}", "")


def unknown_tool(_name: str, arguments: str) -> tuple[str, str]:
    return "functions.read", arguments


def wrong_schema(name: str, _arguments: str) -> tuple[str, str]:
    return name, '{"path": 1, "unit": "kelvin"}'


def one_argument_more(name: str, arguments: str) -> tuple[str, str]:
    return name, json.dumps(json.loads(arguments) | {"extra": True})


def nan(name: str, _arguments: str) -> tuple[str, str]:
    return name, '{"filePath": NaN}'


def finish(reason: str, *, streamed_only: bool = False) -> Any:
    def spoil(request: Any, answer: Answer) -> Answer:
        wrong = answer.calls and (request["stream"] or not streamed_only)
        return replace(answer, finish_reason=reason) if wrong else answer

    return spoil


def text_instead(_request: Any, answer: Answer) -> Answer:
    return Answer("I cannot do that.") if answer.calls else answer


def repeat_chunks(holding: str) -> Any:
    def spoil(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [chunk for chunk in chunks for _time in range(2 if holding in json.dumps(chunk) else 1)]

    return spoil


def no_finish(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk for chunk in chunks if not (chunk["choices"] and chunk["choices"][0]["finish_reason"])]


def no_id(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return json.loads(json.dumps(chunks).replace('"id": "chatcmpl-tool', '"dropped": "x'))


def same_id(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return json.loads(json.dumps(chunks).replace("00001", "00000"))


FAULTS: dict[str, tuple[dict[str, Any], set[str], str, set[tuple[str, str]], str]] = {
    "hermes and <tools>": (
        {"spoil": fake.markup_left("tools")},
        ASKING_FOR_CALLS,
        "T3-read",
        both("MarkupLeak", "MissingToolCalls"),
        "hermes reads only <tool_call>",
    ),
    "<tool_call> left": (
        {"spoil": fake.markup_left("tool_call")},
        ASKING_FOR_CALLS,
        "T4-parallel",
        both("MarkupLeak", "MissingToolCalls"),
        "left in the text as <tool_call>",
    ),
    "another family's markup": (
        {"spoil": lambda request, answer: Answer("[TOOL_CALLS] [{}]") if answer.calls else answer},
        ASKING_FOR_CALLS,
        "T3-read",
        both("MarkupLeak", "MissingToolCalls"),
        "--tool-call-parser mistral",
    ),
    "flags missing": (
        {"spoil": fake.flags_missing},
        set(BASIC) - {"T1-chat"},
        "T3-read",
        both("RequestFailed"),
        "The server was started without tool calling",
    ),
    "arguments are not JSON": (
        {"spoil": fake.first_call(not_json)},
        ASKING_FOR_CALLS,
        "T10-no-arguments",
        both("InvalidJson"),
        "the arguments of read are not JSON",
    ),
    "NaN is not JSON": (
        {"spoil": fake.first_call(nan)},
        ASKING_FOR_CALLS,
        "T3-read",
        both("InvalidJson"),
        "NaN is not JSON",
    ),
    "unknown tool": (
        {"spoil": fake.first_call(unknown_tool)},
        ASKING_FOR_CALLS,
        "T3-read",
        both("UnknownName"),
        "the tool 'functions.read' was called, which was not offered",
    ),
    "schema broken": (
        {"spoil": fake.first_call(wrong_schema)},
        ASKING_FOR_CALLS,
        "T9-enum",
        both("SchemaMismatch"),
        "break its schema",
    ),
    "an argument too many": (
        {"spoil": fake.first_call(one_argument_more)},
        ASKING_FOR_CALLS,
        "T10-no-arguments",
        both("SchemaMismatch"),
        "unknown property 'extra'",
    ),
    "arguments broken in the stream": (
        {"spoil": fake.first_call(not_json, streamed_only=True)},
        ASKING_FOR_CALLS,
        "T3-read",
        {("streamed", "InvalidJson"), ("streamed", "StreamMismatch")},
        "The call is sound in one piece and broken when streamed",
    ),
    "call lost in the stream": (
        {"spoil": fake.last_call_lost(streamed_only=True)},
        ASKING_FOR_CALLS,
        "T4-parallel",
        {("streamed", "MissingToolCalls"), ("streamed", "StreamMismatch")},
        "The streaming half of the server's tool call parser loses calls",
    ),
    "other values in the stream": (
        {
            "spoil": fake.first_call(lambda name, arguments: (name, arguments.replace("/", "//")), streamed_only=True),
        },
        {"T3-read", "T3-bash", "T4-parallel"},
        "T3-read",
        {("streamed", "WrongArguments"), ("streamed", "StreamMismatch")},
        "parser changes calls",
    ),
    "finish_reason stop": (
        {"spoil": finish("stop")},
        ASKING_FOR_CALLS,
        "T3-read",
        both("WrongFinishReason"),
        "finish_reason is 'stop' and must be 'tool_calls'",
    ),
    "finish_reason stop in the stream": (
        {"spoil": finish("stop", streamed_only=True)},
        ASKING_FOR_CALLS,
        "T3-read",
        {("streamed", "WrongFinishReason")},
        "finish_reason is 'stop' and must be 'tool_calls'",
    ),
    "finish_reason never sent": (
        {"spoil_chunks": no_finish},
        set(BASIC),
        "T1-chat",
        {("streamed", "WrongFinishReason")},
        "finish_reason was sent 0 times",
    ),
    "finish_reason sent twice": (
        {"spoil_chunks": repeat_chunks('"finish_reason": "tool_calls"')},
        ASKING_FOR_CALLS,
        "T3-read",
        {("streamed", "WrongFinishReason")},
        "finish_reason was sent 2 times",
    ),
    "name sent twice": (
        {"spoil_chunks": repeat_chunks('"name"')},
        ASKING_FOR_CALLS,
        "T3-read",
        {("streamed", "ProtocolError")},
        "the name of call 0 was sent 2 times",
    ),
    "no id": (
        {"spoil_chunks": no_id},
        ASKING_FOR_CALLS,
        "T3-read",
        {("streamed", "ProtocolError")},
        "call 0 has no id",
    ),
    "the same id twice": (
        {"spoil_chunks": same_id},
        {"T4-parallel"},
        "T4-parallel",
        {("streamed", "ProtocolError")},
        "2 calls have the same id",
    ),
    "parallel call lost": (
        {"spoil": lambda request, answer: replace(answer, calls=answer.calls[:1])},
        {"T4-parallel"},
        "T4-parallel",
        both("MissingToolCalls"),
        "set capabilities.parallel to false",
    ),
    "cut by max_tokens": (
        {
            "spoil": lambda request, answer: (
                replace(fake.first_call(not_json)(request, answer), completion_tokens=512) if answer.calls else answer
            )
        },
        ASKING_FOR_CALLS,
        "T3-read",
        both("InvalidJson"),
        "The answer was cut by max_tokens (512)",
    ),
    "cut before max_tokens": (
        {"spoil": lambda request, answer: fake.cut(answer, 8, stream=request["stream"]) if answer.calls else answer},
        ASKING_FOR_CALLS,
        "T3-read",
        both("AnswerCut"),
        "allows fewer tokens than were asked for",
    ),
    "cut where the context ends": (
        {
            "models": [{"id": "pocket", "object": "model", "max_model_len": 520}],
            "spoil": lambda request, answer: (
                fake.cut(replace(answer, completion_tokens=1000), 500, stream=request["stream"])
                if answer.calls
                else answer
            ),
        },
        ASKING_FOR_CALLS,
        "T3-read",
        both("AnswerCut"),
        "fill the context of 520 tokens",
    ),
    "a model that never calls": (
        {"spoil": text_instead},
        ASKING_FOR_CALLS,
        "T3-read",
        both("MissingToolCalls"),
        "The model does not decide for a tool",
    ),
    "calls where none is wanted": (
        {"spoil": lambda request, answer: answer if answer.calls else Answer(calls=(("current_time", "{}"),))},
        {"T1-chat", "T2-no-tool", "T8-result"},
        "T2-no-tool",
        both("UnexpectedCalls"),
        "the tool 'current_time' was called, which was not offered",
    ),
    "values copied badly": (
        {"spoil": fake.first_call(lambda name, arguments: (name, arguments.replace("/", "//")))},
        {"T3-read", "T3-bash", "T4-parallel"},
        "T3-read",
        both("WrongArguments"),
        "The model does not copy values exactly",
    ),
    "a result that is not used": (
        {"spoil": lambda request, answer: Answer("Done.") if "says" in (answer.content or "") else answer},
        {"T8-result"},
        "T8-result",
        both("WrongAnswer"),
        "does not render messages of the role tool",
    ),
    "no text": (
        {"spoil": lambda request, answer: answer if answer.calls else Answer("")},
        {"T1-chat", "T2-no-tool", "T8-result"},
        "T1-chat",
        both("WrongAnswer"),
        "the answer is empty",
    ),
    "reasoning left": (
        {"spoil": lambda request, answer: replace(answer, content=f"<think>so</think>{answer.content or ''}")},
        set(BASIC),
        "T3-read",
        both("MarkupLeak"),
        "--reasoning-parser",
    ),
    "reasoning and a call left": (
        {
            "spoil": lambda request, answer: (
                fake.markup_left("tools")(request, answer)
                if answer.calls
                else Answer(f"<think>so</think>{answer.content}")
            )
        },
        set(BASIC),
        "T3-read",
        both("MarkupLeak", "MissingToolCalls"),
        "hermes reads only <tool_call>",
    ),
    "leak only in the stream": (
        {"spoil": lambda request, answer: fake.markup_left("tools")(request, answer) if request["stream"] else answer},
        ASKING_FOR_CALLS,
        "T3-read",
        {("streamed", "MarkupLeak"), ("streamed", "MissingToolCalls"), ("streamed", "StreamMismatch")},
        "only when streaming",
    ),
    "stream cut": (
        {"events": lambda made: made[:3], "cut": True},
        set(BASIC),
        "T3-read",
        {("streamed", "RequestFailed")},
        "Streaming does not work from end to end",
    ),
    "the server fails": (
        {"spoil": lambda request, answer: Refusal(500, "Can only get item pairs.") if answer.calls else answer},
        ASKING_FOR_CALLS,
        "T3-read",
        both("RequestFailed"),
        "The server failed while it handled a request",
    ),
    "context too small": (
        {
            "spoil": lambda request, answer: (
                Refusal(400, "This model's maximum context length is 256 tokens.") if request.get("tools") else answer
            )
        },
        set(BASIC) - {"T1-chat"},
        "T3-read",
        both("RequestFailed"),
        "--max-model-len",
    ),
}


@functools.cache
def outcome_of(fault: str) -> Outcome:
    with FakeEndpoint(**FAULTS[fault][0]).serving() as endpoint:
        return check(endpoint)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen_and_named(fault: str) -> None:
    _fields, probes, probe_id, findings, cause = FAULTS[fault]
    outcome = outcome_of(fault)
    assert not outcome.passed
    assert failed(outcome) == probes
    assert classes(outcome, probe_id) == findings
    assert cause in first_cause(outcome)


def test_other_wording_is_no_difference(serve: Serve) -> None:
    def spoil(request: Any, answer: Answer) -> Answer:
        return replace(answer, content=f"{answer.content or ''} {request['stream']}")

    assert check(serve(spoil=spoil)).passed


def test_free_arguments_may_differ(serve: Serve) -> None:
    def spoil(request: Any, answer: Answer) -> Answer:
        mode = str(request["stream"])
        return replace(answer, calls=tuple((name, text.replace("Runs it", mode)) for name, text in answer.calls))

    assert check(serve(spoil=spoil)).passed


def test_parallel_calls_may_come_in_any_order(serve: Serve) -> None:
    def spoil(request: Any, answer: Answer) -> Answer:
        return replace(answer, calls=answer.calls[:: -1 if request["stream"] else 1])

    assert check(serve(spoil=spoil)).passed


def test_text_beside_a_call_is_fine(serve: Serve) -> None:
    assert check(serve(spoil=lambda request, answer: replace(answer, content=answer.content or "Let me see."))).passed


def test_a_long_joke_is_a_warning(serve: Serve) -> None:
    def spoil(request: Any, answer: Answer) -> Answer:
        return answer if answer.calls else replace(answer, finish_reason="length")

    outcome = check(serve(spoil=spoil))
    assert outcome.passed
    assert verdicts(outcome)["T2-no-tool"] == "warn" and verdicts(outcome)["T3-read"] == "pass"


def test_a_bad_choice_may_be_repaired_and_a_broken_contract_not(serve: Serve) -> None:
    def bad_at_first(spoil: Any) -> Any:
        seen: set[str] = set()

        def first(request: Any, answer: Answer) -> Any:
            kind = json.dumps(sorted(answer.calls and answer.calls[0][0]))
            if (kind, request["stream"]) in seen:
                return answer
            seen.add((kind, request["stream"]))
            return spoil(request, answer)

        return first

    forgetful = bad_at_first(fake.last_call_lost())
    endpoint = serve(spoil=forgetful)
    outcome = check(endpoint, probes=["T9-enum"])
    assert outcome.passed and outcome.results[0].tries == 2
    first, second = (endpoint.requests[i]["messages"][0]["content"] for i in (0, 2))
    assert first != second, "a new try must ask for other values"

    outcome = check(serve(spoil=bad_at_first(fake.last_call_lost())), probes=["T9-enum"], tries=1)
    assert not outcome.passed and outcome.results[0].tries == 1

    outcome = check(serve(spoil=bad_at_first(fake.markup_left("tools"))), probes=["T9-enum"])
    assert not outcome.passed and outcome.results[0].tries == 1


def wrong_every(period: int) -> Any:
    """A model that copies badly now and then: each such question gets the same wrong answer in both modes."""
    questions: list[str] = []

    def spoil(request: Any, answer: Answer) -> Answer:
        question = request["messages"][0]["content"]
        if question not in questions:
            questions.append(question)
        wrong = questions.index(question) % period == period - 1
        return fake.first_call(lambda name, text: (name, text.replace("/", "//")))(request, answer) if wrong else answer

    return spoil


@pytest.mark.parametrize(
    ("options", "passes", "tries", "right"),
    [
        ({"tries": 10, "pass_rate": 0.8}, True, 9, 8),
        ({"tries": 4, "pass_rate": 1.0}, True, 4, 4),
        ({"tries": 5, "pass_rate": 1.0}, False, 5, 4),
        ({"tries": 10, "pass_rate": 1.0}, False, 5, 4),
        ({"tries": 3, "pass_rate": 0.01}, True, 1, 1),
    ],
)
def test_the_pass_rate(serve: Serve, options: dict[str, Any], passes: bool, tries: int, right: int) -> None:
    """Every fifth answer is wrong; it is asked no more than the verdict needs."""
    (result,) = check(serve(spoil=wrong_every(5)), probes=["T3-read"], **options).results
    assert (result.verdict == "pass", result.tries, result.right) == (passes, tries, right)


@pytest.mark.parametrize("name", ["T3", "T3-read"])
def test_what_the_profile_knows_to_be_flaky_has_a_rate_of_its_own(serve: Serve, name: str) -> None:
    flaky = {"flaky": {name: {"tries": 4, "pass_rate": 0.5}}}
    options = {"probes": ["T3-read"], "tries": 1, "pass_rate": 1.0}
    assert not check(serve(spoil=wrong_every(1)), profile={"capabilities": flaky}, **options).passed
    (result,) = check(serve(spoil=wrong_every(2)), profile={"capabilities": flaky}, **options).results
    assert (result.verdict, result.tries, result.right) == ("pass", 3, 2)


def test_a_contract_is_never_tried_again(serve: Serve) -> None:
    (result,) = check(serve(tokens_per_tool=0), probes=["T16"], tries=5).results
    assert (result.verdict, result.tries) == ("fail", 1)


def test_probes_can_be_left_out(serve: Serve) -> None:
    outcome = check(serve(), probes=["T3", "T9-enum"], skip=["T3-bash"])
    assert list(verdicts(outcome)) == ["T3-read", "T9-enum"]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_as_many_probes_at_a_time_as_wanted(serve: Serve, concurrency: int) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def spoil(_request: Any, answer: Answer) -> Answer:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return answer

    assert check(serve(spoil=spoil), concurrency=concurrency).passed
    assert most[0] <= concurrency and (most[0] > 1) == (concurrency > 1)


@pytest.mark.parametrize(
    ("capabilities", "skipped"),
    [
        ({"parallel": False}, {"T4-parallel"}),
        ({"tool_choice": ["required"]}, set(BASIC) - {"T1-chat"}),
        ({"tool_choice": ["auto", "none"], "parallel": True}, set()),
        ({"tool_choice": None}, set()),
    ],
)
def test_what_the_profile_rules_out_is_skipped(serve: Serve, capabilities: Any, skipped: set[str]) -> None:
    outcome = check(serve(), profile={"capabilities": capabilities})
    assert {name for name, verdict in verdicts(outcome).items() if verdict == "skip"} == skipped
    assert outcome.passed


def test_without_streaming_nothing_is_streamed(serve: Serve) -> None:
    endpoint = serve()
    assert check(endpoint, probes=[], profile={"capabilities": {"streaming": False}}).passed
    assert not any(request["stream"] for request in endpoint.requests)


def test_a_leak_is_not_called_one_of_streaming_only_where_nothing_else_was_asked(serve: Serve) -> None:
    outcome = check(serve(spoil=fake.markup_left("tools")), profile={"capabilities": {"streaming": False}})
    assert "tool_calls lacks it" in first_cause(outcome)


def empty(name: str, arguments: str) -> tuple[str, str]:
    return name, "" if arguments == "{}" else arguments


@pytest.mark.parametrize(
    ("parser", "streamed_only", "verdict"),
    [("llama3_json", True, "warn"), ("hermes", True, "fail"), ("llama3_json", False, "warn")],
)
def test_a_known_fault_of_a_parser_is_a_warning(serve: Serve, parser: str, streamed_only: bool, verdict: str) -> None:
    endpoint = serve(spoil=fake.first_call(empty, streamed_only=streamed_only))
    outcome = check(endpoint, profile={"tool_calls": {"parser": parser}})
    assert verdicts(outcome)["T10-no-arguments"] == verdict
    assert outcome.passed == (verdict == "warn")
    if outcome.passed:
        (advice,) = diagnose(outcome)
        assert "parser llama3_json" in advice.symptom and "empty arguments" in advice.fix


def test_another_fault_of_that_parser_is_none(serve: Serve) -> None:
    outcome = check(serve(spoil=fake.first_call(not_json)), profile={"tool_calls": {"parser": "llama3_json"}})
    assert "T3-read" in failed(outcome)


def test_a_template_that_never_ends_is_the_cause(serve: Serve) -> None:
    endless = Refusal(400, "maximum recursion depth exceeded")
    spoil = lambda request, answer: endless if request.get("tools") else answer  # noqa: E731
    assert "never ends" not in first_cause(check(serve(spoil=fake.markup_left("tools"))))
    assert "goes round in circles" in first_cause(check(serve(spoil=spoil)))


@pytest.mark.parametrize(
    ("model", "parser"),
    [("mistral-7b", "mistral"), ("granite-3.0-8b", "granite"), ("jamba-1.5-mini", "jamba"), ("chat", "mistral")],
)
def test_bare_calls_are_traced_by_the_models_name(serve: Serve, model: str, parser: str) -> None:
    def bare(_request: Any, answer: Answer) -> Answer:
        calls = [{"name": name, "arguments": json.loads(arguments)} for name, arguments in answer.calls]
        return Answer(json.dumps(calls)) if calls else answer

    outcome = check(serve(spoil=bare), profile={"model": {"id": model}})
    fix = diagnose(outcome)[0].fix
    assert f"--tool-call-parser {parser}." in fix
    assert ("Other models" in fix) == (model == "chat")


def test_what_was_not_asked_keeps_the_check_from_passing(serve: Serve) -> None:
    outcome = check(serve(), probes=["T1", "T2"])
    assert outcome.passed
    outcome.results[1].verdict = "inconclusive"
    assert not outcome.passed


def test_all_skipped_proves_nothing(serve: Serve) -> None:
    assert not check(serve(), probes=["T4-parallel"], profile={"capabilities": {"parallel": False}}).passed


def test_nothing_there_is_asked_once(dead_url: str) -> None:
    outcome = check(FakeEndpoint(url=dead_url))
    assert set(verdicts(outcome).values()) == {"inconclusive"} and not outcome.passed
    assert "connection refused" in first_cause(outcome)


def test_a_wrong_key_is_asked_once(serve: Serve) -> None:
    outcome = check(serve(api_key="right"), api_key="wrong")
    assert set(verdicts(outcome).values()) == {"inconclusive"}
    assert "VLLM_API_KEY" in first_cause(outcome)
    assert check(serve(api_key="right"), api_key="right").passed


def test_a_model_that_is_not_served(serve: Serve) -> None:
    endpoint = serve()
    outcome = check(endpoint, model="gpt-4")
    assert verdicts(outcome) == {"T1-chat": "fail"} | dict.fromkeys(BASIC[1:], "inconclusive")
    assert len(endpoint.requests) == 1
    assert "The server serves pocket" in first_cause(outcome)


def test_a_server_without_models(serve: Serve) -> None:
    outcome = check(serve(models=[]))
    assert outcome.blocked is not None and "lists no model" in str(outcome.blocked)
    assert set(verdicts(outcome).values()) == {"inconclusive"}


def test_another_api(serve: Serve) -> None:
    pages = {"/v1/chat/completions": (404, "application/json", b'{"detail": "Not Found"}')}
    assert "There is no chat completions API" in first_cause(check(serve(pages=pages)))


def test_a_server_that_does_not_answer_in_time_is_given_up_soon(serve: Serve) -> None:
    endpoint = serve(seconds_per_chat=0.5)
    outcome = check(endpoint, timeout=0.1)
    assert verdicts(outcome) == {"T1-chat": "fail"} | dict.fromkeys(BASIC[1:], "inconclusive")
    assert "no complete answer within" in first_cause(outcome)


# What a scripted server cannot easily send.
def reply(**changes: Any) -> ChatReply:
    call = ToolCall("a1", "function", "read", '{"filePath": "/a"}', 0, ["read"], ["a1"])
    defaults: dict[str, Any] = {"tool_calls": [call], "finish_reason": "tool_calls", "role_count": 1}
    made = ChatReply(streamed=True, **(defaults | changes))
    made.finish_reasons = [made.finish_reason] if made.finish_reason else []
    return made


def judged(made: ChatReply) -> list[str]:
    case = Case([], calls=(ExpectedCall("read", {"filePath": "/a"}),))
    return [finding.message for finding in judging.judge(made, case, "streamed", Expectations("0.32.0"))]


def test_a_good_reply_has_no_findings() -> None:
    assert judged(reply()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "tool"}, "the type of call 0 is 'tool'"),
        ({"id": ""}, "call 0 has no id"),
        ({"names_sent": ["re", "ad"]}, "the name of call 0 was sent 2 times"),
        ({"ids_sent": ["a1", "a1"]}, "the id of call 0 was sent 2 times"),
        ({"announced": False}, "the first piece of call 0 lacks its id or name"),
    ],
)
def test_calls_that_clients_stumble_over(change: dict[str, Any], message: str) -> None:
    (found,) = judged(reply(tool_calls=[replace(reply().tool_calls[0], **change)]))
    assert found.startswith(message)


def test_mixed_pieces_and_a_repeated_role() -> None:
    assert judged(reply(index_order=[0, 1, 0])) == ["the pieces of the calls are mixed: index order [0, 1, 0]"]
    assert judged(reply(role_count=2)) == ["the role was sent 2 times"]
    assert judged(reply(violations=["x", "x"])) == ["x"]
