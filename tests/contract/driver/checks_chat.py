# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Chat completions, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from client import Answer, read_stream, read_whole
from report import Expected, Report, differences
from scripts import TIME, WEATHER, chat_request, cuts, deltas, deltas_to_limit
from server import VERSION, ChatServer, Delta
from tokenizer import END_ID, SPECIAL_IDS, ids_of

CALLS = f"I look.\n<tools>{WEATHER}</tools>\n<tool_call>\n{TIME}\n</tool_call>"
CALLED = [("get_weather", {"city": "Tokyo"}), ("get_time", {"zone": "Asia/Tokyo", "precise": True})]
PROSE = "It is sunny <b>here</b>, 3 < 4."
# From these releases on a client that got calls sees that the token limit ended the answer.
LENGTH_IS_STREAMED = VERSION >= (0, 31)
LENGTH_IS_TOLD = VERSION >= (0, 33)
# 0.10 keeps the text of a required answer twice and ends its stream with an error, whichever parser it has.
STREAMS_REQUIRED = not (0, 10) <= VERSION < (0, 11)

Server = Callable[[], ChatServer]


def of_case(case: dict[str, Any]) -> Expected:
    calls = [(call["name"], call["arguments"]) for call in case["expected_calls"]]
    # Of the given cases only this one may leave a stream with a call that was begun and never finished.
    unfinished = case["name"] == "truncated_mid_args"
    reasons = ("tool_calls",) if calls else ("stop",)
    return Expected(case["expected_content"] or "", calls, reasons, unfinished=unfinished)


def text_only(text: str) -> Expected:
    return Expected(text, [], ("stop",))


def check_all(report: Report, server: ChatServer, cases: list[dict[str, Any]]) -> None:
    for case in cases:
        text, expected = case["model_output"], of_case(case)
        label = case["name"]
        both(report, server, label, text, expected, chat_request)
        both(report, server, f"{label}, no tools wanted", text, text_only(text), no_tools_wanted, few=True)
    both(report, server, "no tools in the request", PROSE, text_only(PROSE), without_tools)
    for label, stop in (("plain", PROSE), ("calls", CALLS)):
        expected = Expected("I look.", CALLED, ("tool_calls",)) if stop is CALLS else text_only(stop)
        both(report, server, f"n=2, {label} twice", stop, expected, lambda: chat_request(n=2), few=True, choices=2)
    interleaved(report, server)
    token_limit(report, server)
    parallel(report, server)
    tool_choices(report, server)
    usage(report, server)
    half_characters(report, server)
    reasoning(report)


def no_tools_wanted() -> Any:
    return chat_request(tool_choice="none")


def without_tools() -> Any:
    return chat_request(tools=False)


def both(
    report: Report,
    server: ChatServer,
    label: str,
    text: str,
    expected: Expected,
    request: Callable[..., Any],
    *,
    few: bool = False,
    choices: int = 1,
) -> None:
    """One text, whole and in many pieces; with several choices, each choice has it, one after the other."""
    check_whole(report, server, label, [text] * choices, [expected] * choices, request)
    for how, pieces in cuts(text, sizes=(3,) if few else (1, 3, 7), seeds=1 if few else 5):
        for end_apart in (True, False):
            stream = [d for choice in range(choices) for d in deltas(pieces, end_apart=end_apart, choice=choice)]
            end = "end apart" if end_apart else "end with the last text"
            check_stream(report, server, f"{label}, {how}, {end}", stream, [expected] * choices, request)


def check_whole(
    report: Report,
    server: ChatServer,
    label: str,
    texts: list[str],
    expected: list[Expected],
    request: Callable[..., Any],
    finish_reason: str = "stop",
) -> None:
    def check() -> str | None:
        body = server.whole(server.adjusted(request()), texts, finish_reason)
        return differences(read_whole(body), *expected)

    report.check("whole", label, check)


def check_stream(
    report: Report,
    server: ChatServer,
    label: str,
    stream: list[Delta],
    expected: list[Expected],
    request: Callable[..., Any],
    also: Callable[[Answer], str | None] = lambda answer: None,
) -> None:
    def check() -> str | None:
        asked = request()
        asked.stream = True
        answer = read_stream(server.stream(server.adjusted(asked), stream), len(expected))
        return differences(answer, *expected) or also(answer)

    report.check("streamed", label, check)


def two() -> Any:
    return chat_request(n=2)


def interleaved(report: Report, server: ChatServer) -> None:
    """Two choices that say different things at the same time."""
    other = f"Another\n<tools>{TIME}</tools> and more"
    texts = {
        "two that call": (CALLS, other),
        "one that calls": (PROSE, CALLS),
        "the same start": (CALLS, CALLS.replace("Tokyo", "Oslo")),
        "one that is empty": ("", CALLS),
    }
    seen = {
        CALLS: Expected("I look.", CALLED, ("tool_calls",)),
        other: Expected("Another\n and more", CALLED[1:], ("tool_calls",)),
        PROSE: text_only(PROSE),
        "": text_only(""),
        CALLS.replace("Tokyo", "Oslo"): Expected(
            "I look.",
            [("get_weather", {"city": "Oslo"}), ("get_time", {"zone": "Asia/Oslo", "precise": True})],
            ("tool_calls",),
        ),
    }
    for label, pair in texts.items():
        check_whole(report, server, f"n=2, {label}", list(pair), [seen[text] for text in pair], two)
        for how, _ in cuts(max(pair), sizes=(1, 3, 7), seeds=3):
            for end_apart in (True, False):
                streams = [
                    deltas(dict(cuts(text, sizes=(1, 3, 7), seeds=3))[how], end_apart=end_apart, choice=choice)
                    for choice, text in enumerate(pair)
                ]
                end = "end apart" if end_apart else "end with the last text"
                check_stream(
                    report, server, f"n=2, {label}, {how}, {end}", merged(streams), [seen[text] for text in pair], two
                )


def merged(streams: list[list[Delta]]) -> list[Delta]:
    return [stream[step] for step in range(max(map(len, streams))) for stream in streams if step < len(stream)]


def token_limit(report: Report, server: ChatServer) -> None:
    """max_tokens ends the answer in a text, in a tag, in a name, in arguments, after a call."""
    called = [("get_weather", {"city": "Tokyo"})]
    first = "I look.\n<tools>" + WEATHER
    length = ("length",)
    streamed_reason = length if LENGTH_IS_STREAMED else ("tool_calls",)
    whole_reason = length if LENGTH_IS_TOLD else ("tool_calls",)
    ends = {}  # the text, seen streamed, seen whole
    for label, text in (
        ("in prose", "It is sun"),
        ("in a tag", "It is <too"),
        ("before the arguments", first[:40]),
    ):
        ends[label] = (text, Expected(text, [], length), Expected(text, [], length))
    for label, text in (("after a call", first + "</tools>"), ("without the close tag", first)):
        ends[label] = (text, Expected("I look.", called, streamed_reason), Expected("I look.", called, whole_reason))
    text = first[:-5]
    unfinished = Expected("I look.", [], streamed_reason, unfinished=True)
    ends["in the arguments"] = (text, unfinished, Expected(text, [], length))
    for label, (text, streamed, whole) in ends.items():
        limit = len(ids_of(text))

        def request(limit: int = limit) -> Any:
            return chat_request(max_tokens=limit)

        check_whole(report, server, f"token limit {label}", [text], [whole], request, "length")
        for how, pieces in cuts(text, sizes=(1, 3, 7), seeds=5):
            check_stream(report, server, f"token limit {label}, {how}", deltas_to_limit(pieces), [streamed], request)


def parallel(report: Report, server: ChatServer) -> None:
    """parallel_tool_calls=False leaves the first call: up to 0.11 the parser sees to it, later vLLM."""
    expected = Expected("I look.", CALLED[:1], ("tool_calls",))
    both(report, server, "one call at most", CALLS, expected, lambda: chat_request(parallel_tool_calls=False), few=True)


def is_tagged(server: ChatServer, request: Any) -> bool:
    """Whether the model's output is constrained to the parser's own format."""
    structured = getattr(server.adjusted(request), "structured_outputs", None)
    return bool(getattr(structured, "structural_tag", None))


def tool_choices(report: Report, server: ChatServer) -> None:
    """Under a structural tag the model writes its own format, without one what vLLM's JSON schema makes of it."""
    for name, request, calls, own_json, expected in choices():
        tagged = is_tagged(server, request())
        text = "\n".join(f"<tools>{call}</tools>" for call in calls) if tagged else own_json
        check_whole(report, server, name, [text], [expected], request)
        for how, pieces in cuts(text, sizes=(1, 3, 7), seeds=5):
            # vLLM's own reader of streamed JSON loses calls that come in long pieces, and wants the end apart.
            if tagged or (how.startswith("in pieces") and STREAMS_REQUIRED):
                for end_apart in (True, False) if tagged else (True,):
                    stream = deltas(pieces, end_apart=end_apart)
                    check_stream(report, server, f"{name}, {how}", stream, [expected], request)


def choices() -> Iterator[tuple[str, Callable[[], Any], list[str], str, Expected]]:
    either = ("tool_calls", "stop")  # releases differ, and both are in use
    lost = ("",) if VERSION < (0, 10) else ()  # 0.9.2 streams required calls without a finish_reason
    weather, time = json.loads(WEATHER), json.loads(TIME)
    both_calls = [{"name": call["name"], "parameters": call["arguments"]} for call in (weather, time)]
    named = {"type": "function", "function": {"name": "get_weather"}}
    yield (
        "required, two calls",
        lambda: chat_request(tool_choice="required"),
        [WEATHER, TIME],
        json.dumps(both_calls),
        Expected("", CALLED, (*either, *lost)),
    )
    yield (
        "required",
        lambda: chat_request(tool_choice="required"),
        [WEATHER],
        json.dumps(both_calls[:1]),
        Expected("", CALLED[:1], (*either, *lost)),
    )
    yield (
        "named",
        lambda: chat_request(tool_choice=named),
        [WEATHER],
        json.dumps(weather["arguments"]),
        Expected("", CALLED[:1], either),
    )


def usage(report: Report, server: ChatServer) -> None:
    request = lambda: chat_request(stream=True, stream_options={"include_usage": True})  # noqa: E731

    def counted(answer: Answer) -> str | None:
        wanted = len(ids_of(CALLS)) + 1
        found = (answer.usage or {}).get("completion_tokens")
        return None if found == wanted else f"{found} tokens counted, not {wanted}"

    for how, pieces in cuts(CALLS, sizes=(1, 7), seeds=2):
        check_stream(
            report,
            server,
            f"with usage, {how}",
            deltas(pieces, end_apart=True),
            [Expected("I look.", CALLED, ("tool_calls",))],
            request,
            counted,
        )


def half_characters(report: Report, server: ChatServer) -> None:
    """A character of several tokens: deltas with tokens and without text, in the middle of an answer."""
    text = '<tools>{"name": "f", "arguments": {"city": "東京 😀"}}</tools>'
    stream: list[Delta] = []
    for char in text:
        *first, last = ids_of(char)
        stream += [Delta("", [token]) for token in first] + [Delta(char, [last])]
    stream.append(Delta("", [END_ID], "stop"))
    expected = Expected("", [("f", {"city": "東京 😀"})], ("tool_calls",))
    check_stream(report, server, "characters of several tokens", stream, [expected], chat_request)


def reasoning(report: Report) -> None:
    server = ChatServer(reasoning="deepseek_r1")
    thought = "Is <tools> needed?"
    end = [Delta("</think>", [SPECIAL_IDS["</think>"]])]
    for label, text, expected in (
        ("a call", f"<tools>{WEATHER}</tools>", Expected("", CALLED[:1], ("tool_calls",), reasoning=thought)),
        ("calls", CALLS, Expected("I look.", CALLED, ("tool_calls",), reasoning=thought)),
        ("prose", PROSE, Expected(PROSE, [], ("stop",), reasoning=thought)),
    ):
        label = f"reasoning, then {label}"
        check_whole(report, server, label, [f"{thought}</think>{text}"], [expected], chat_request)
        for how, pieces in cuts(text, sizes=(1, 3, 7), seeds=5):
            for end_apart in (True, False):
                thinking = deltas([thought[:5], thought[5:]], end_apart=True)[:-1]
                stream = [*thinking, *end, *deltas(pieces, end_apart=end_apart)]
                check_stream(report, server, f"{label}, {how}", stream, [expected], chat_request)
