# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""The Responses API: whole from 0.11.1 on, streamed with tool calls from 0.18 on."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

from checks_chat import CALLED, CALLS, PROSE, of_case
from client import Call, Choice, Fault
from report import Expected, Report, difference
from scripts import PARAMETERS, TOOLS, WEATHER, cuts, deltas
from server import MODEL, VERSION, ChatServer, Delta, engine
from tokenizer import TOKENIZER
from vllm import SamplingParams

WHOLE = VERSION >= (0, 11, 1)
STREAMED = VERSION >= (0, 18)
# Up to 0.22 one delta carries one thing, and what the last delta has more than that is lost.
ANY_DELTA = VERSION >= (0, 23)


def check_all(report: Report, cases: list[dict[str, Any]]) -> None:
    if not WHOLE:
        return
    server = ResponsesServer()
    scripts = [("calls", CALLS, Expected("I look.", CALLED)), ("prose", PROSE, Expected(PROSE, []))]
    for case in cases:
        expected = of_case(case)
        expected.finish_reasons = ()
        scripts.append((case["name"], case["model_output"], expected))
    for label, text, expected in scripts:
        check(report, f"whole, {label}", expected, server.whole, text)
    if not STREAMED:
        return
    for label, text, expected in scripts if ANY_DELTA else [*scripts[:2], one_call()]:
        for how, pieces in cuts(text, sizes=(1, 3, 7), seeds=3):
            for end_apart in (True, False) if ANY_DELTA else (True,):
                if not ANY_DELTA and how == "in one piece":
                    continue
                stream = deltas(pieces, end_apart=end_apart)
                end = "end apart" if end_apart else "end with the last text"
                check(
                    report,
                    f"streamed, {label}, {how}, {end}",
                    expected,
                    server.stream,
                    stream,
                )


def one_call() -> tuple[str, str, Expected]:
    return "a call", f"<tools>{WEATHER}</tools>", Expected("", CALLED[:1])


def check(report: Report, label: str, expected: Expected, ask: Callable[[Any], Choice], script: Any) -> None:
    report.check("responses", label, lambda: difference(ask(script), expected))


def request(**more: Any) -> Any:
    tools = [{"type": "function", "name": name, "parameters": PARAMETERS, "strict": False} for name in TOOLS]
    return _module().ResponsesRequest(model=MODEL, input="?", tools=tools, store=False, **more)


def _module() -> Any:
    return sys.modules[_serving_class().__module__]


def _serving_class() -> Any:
    try:
        from vllm.entrypoints.openai.responses.serving import OpenAIServingResponses
    except ImportError:  # <= 0.14
        from vllm.entrypoints.openai.serving_responses import OpenAIServingResponses
    return OpenAIServingResponses


class ResponsesServer:
    def __init__(self) -> None:
        self.chat = ChatServer()
        self.context_class = _module().SimpleContext
        self.serving = _serving_class().__new__(_serving_class())
        vars(self.serving).update(
            chat_template=None,
            chat_template_content_format="auto",
            chat_template_kwargs={},
            default_chat_template_kwargs={},
            enable_auto_tools=True,
            enable_log_deltas=False,
            enable_log_outputs=False,
            enable_per_request_metrics=False,
            log_error_stack=False,
            model_config=SimpleNamespace(model=MODEL, max_model_len=4096),
            parser=self.chat.parser_class,
            reasoning_parser=None,
            request_logger=None,
            response_store={},
            tool_call_id_type="random",
            tool_server=None,
            tool_parser=self.chat.tool_parser_class,
            use_harmony=False,
        )

    def whole(self, text: str) -> Choice:
        response = asyncio.run(self._whole(self.chat.adjusted(request()), deltas([text], end_apart=False)))
        return read_items(response.model_dump(mode="json")["output"])

    async def _whole(self, request: Any, stream: list[Delta]) -> Any:
        return await self.serving.responses_full_generator(**self._arguments(request, stream))

    def stream(self, stream: list[Delta]) -> Choice:
        """What the events say piece by piece; the last event must say the same as a whole."""

        async def collect() -> list[dict[str, Any]]:
            arguments = self._arguments(self.chat.adjusted(request(stream=True)), stream)
            events = self.serving.responses_stream_generator(**arguments)
            return [event.model_dump(mode="json") async for event in events]

        events = asyncio.run(collect())
        if events[-1]["type"] != "response.completed":
            raise Fault(f"the stream ends with {events[-1]!r}")
        choice = read_events(events)
        last = read_items(events[-1]["response"]["output"])
        if (last.content.strip(), last.calls) != (choice.content.strip(), choice.calls) and all(
            call.parsed() is not None for call in choice.calls
        ):
            raise Fault(f"the last event has {last!r}, those before {choice!r}")
        return choice

    def _arguments(self, request: Any, stream: list[Delta]) -> dict[str, Any]:
        more = {}
        if "response_parser" in inspect.signature(self.context_class).parameters:
            more["response_parser"] = self.chat.parser_class(TOKENIZER, request.tools)
        context = self.context_class(**more)
        return {
            "request": request,
            "sampling_params": SamplingParams(max_tokens=1000),
            "result_generator": _contexts(context, stream),
            "context": context,
            "model_name": MODEL,
            "tokenizer": TOKENIZER,
            "request_metadata": _module().RequestResponseMetadata(request_id="resp-1"),
        }


async def _contexts(context: Any, stream: list[Delta]) -> AsyncIterator[Any]:
    async for output in engine([[delta.output()] for delta in stream]):
        context.append_output(output)
        yield context


def read_items(items: list[dict[str, Any]]) -> Choice:
    choice = Choice()
    for item in items:
        if item["type"] == "function_call":
            choice.calls.append(Call(item["name"], item["arguments"]))
        elif item["type"] == "message":
            choice.content += "".join(part["text"] for part in item["content"])
        else:
            raise Fault(f"an item of type {item['type']}")
    return choice


def read_events(events: list[dict[str, Any]]) -> Choice:
    """As a client does that shows what comes: names when they are added, arguments and text by their deltas."""
    choice = Choice()
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added" and event["item"]["type"] == "function_call":
            choice.calls.append(Call(event["item"]["name"], ""))
        elif kind == "response.function_call_arguments.delta":
            choice.calls[-1].arguments += event["delta"]
        elif kind == "response.function_call_arguments.done" and event["arguments"] != choice.calls[-1].arguments:
            raise Fault(f"{event['arguments']!r} after the deltas {choice.calls[-1].arguments!r}")
        elif kind == "response.output_text.delta":
            choice.content += event["delta"]
    return choice
