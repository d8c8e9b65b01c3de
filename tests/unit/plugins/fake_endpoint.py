# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted stand-in for a vLLM server, on loopback, for faults that a real one will not produce on demand.

It answers the questions of the probes correctly unless a test spoils the answer. The bytes have the form that
vLLM 0.32 sends: chunked encoding, one server-sent event per chunk, usage in a last chunk without choices.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Answer:
    """What the model is made to answer."""

    content: str | None = None
    calls: tuple[tuple[str, str], ...] = ()  # name and arguments
    finish_reason: str | None = None
    completion_tokens: int = 20

    @property
    def finish(self) -> str:
        return self.finish_reason or ("tool_calls" if self.calls else "stop")


@dataclass(frozen=True)
class Refusal:
    """An error status with a body as vLLM writes it."""

    status: int
    message: str

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": "BadRequestError", "param": None, "code": self.status}}


Request = dict[str, Any]
Spoiler = Callable[[Request, Answer], "Answer | Refusal"]


def right_answer(request: Request) -> Answer:
    """The answer that every probe wants."""
    answer = _natural_answer(request)
    choice = request.get("tool_choice")
    if choice == "none":
        return Answer("I would have to read that file first.")
    if choice not in (None, "auto", "required"):
        return replace(answer, calls=(_named_call(choice["function"]["name"], request),), finish_reason="stop")
    if choice == "required" and not answer.calls:
        return Answer(calls=(_named_call(request["tools"][0]["function"]["name"], request),))
    if request.get("parallel_tool_calls") is False:
        return replace(answer, calls=answer.calls[:1])
    return answer


def _natural_answer(request: Request) -> Answer:
    messages = request["messages"]
    if messages[-1]["role"] == "tool":
        results = [message["content"] for message in messages if message["role"] == "tool"]
        return Answer(f"It says: {' '.join(results)}.")
    text = messages[-1]["content"]
    if not request.get("tools"):
        return Answer("Hello, wörld!")
    if found := re.fullmatch(r"Read the file (\S+)\.", text):
        return Answer(calls=(_call("read", filePath=found[1]),))
    if found := re.fullmatch(r"Explain what you do, then read the file (\S+)\.", text):
        return Answer(f"I will read {found[1]}.", calls=(_call("read", filePath=found[1]),))
    if found := re.fullmatch(r"Read the files (\S+) and (\S+)\.", text):
        return Answer(calls=(_call("read", filePath=found[1]), _call("read", filePath=found[2])))
    if found := re.fullmatch(r"Run the command: (.+)", text):
        return Answer(calls=(_call("bash", command=found[1], description="Runs it"),))
    if found := re.fullmatch(r"Write (.+) to the file (\S+)\.", text):
        return Answer(calls=(_call("write", filePath=found[2], content=found[1]),))
    if found := re.fullmatch(r"What is the weather in (\w+) in (\w+)\?", text):
        return Answer(calls=(_call("get_weather", city=found[1], unit=found[2]),))
    if text == "What time is it now?":
        return Answer(calls=(_call("current_time"),))
    return Answer("Why did the function return early? It had a date.")


def _named_call(name: str, request: Request) -> tuple[str, str]:
    """What a server makes that enforces tool_choice."""
    text = request["messages"][-1]["content"]
    if name == "configure":
        return name, text.partition("arguments: ")[2]
    for call in _natural_answer(request).calls:
        if call[0] == name:
            return call
    return _call(name, unit="celsius")


def _call(tool: str, /, **arguments: str) -> tuple[str, str]:
    return tool, json.dumps(arguments)


def cut(answer: Answer, max_tokens: int, *, stream: bool) -> Answer:
    """What vLLM 0.32 with the parser qwen_tools makes of an answer that max_tokens ends."""
    share = max_tokens / answer.completion_tokens
    rest: dict[str, Any] = {"completion_tokens": max_tokens, "finish_reason": "length"}
    if not answer.calls:
        return replace(answer, content=(answer.content or "")[: max_tokens * 5], **rest)
    name, arguments = answer.calls[0]
    arguments = arguments[: int(len(arguments) * share)]
    if stream:
        return replace(answer, calls=((name, arguments),), **rest)
    return Answer(f'<tools>{{"name": "{name}", "arguments": {arguments}', **rest)


def completion(answer: Answer, usage: dict[str, int]) -> dict[str, Any]:
    """A chat.completion in one piece."""
    calls = [
        {"id": f"chatcmpl-tool-{number:032x}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(answer.calls)
    ]
    message = {"role": "assistant", "content": answer.content, "refusal": None, "tool_calls": calls, "reasoning": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish, "stop_reason": None}
    about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_000_000, "model": "pocket"}
    return {**about, "choices": [choice], "usage": usage}


def chunks(answer: Answer, usage: dict[str, int]) -> list[dict[str, Any]]:
    """The same as a stream of chat.completion.chunk."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    text = answer.content or ""
    deltas += [{"content": text[start : start + 5]} for start in range(0, len(text), 5)]
    for index, (name, arguments) in enumerate(answer.calls):
        head = {"id": f"chatcmpl-tool-{index:032x}", "type": "function", "index": index, "function": {"name": name}}
        deltas.append({"tool_calls": [head]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": arguments[start : start + 7]}}]}
            for start in range(0, len(arguments), 7)
        ]
    made = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    made.append(_chunk([{"index": 0, "delta": {}, "finish_reason": answer.finish}]))
    return [*made, _chunk([]) | {"usage": usage}]


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    about = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "pocket"}
    return {**about, "choices": choices}


def sse(document: Any) -> bytes:
    """One event; text is not escaped, so that characters of several bytes travel as such."""
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


def one_event_each(events: Iterable[bytes]) -> Iterator[bytes]:
    """Packets as vLLM sends them."""
    yield from events


def one_byte_each(events: Iterable[bytes]) -> Iterator[bytes]:
    """The worst that a network can do."""
    for event in events:
        for byte in event:
            yield bytes([byte])


def with_keep_alives(events: Iterable[bytes]) -> Iterator[bytes]:
    """Comments between events, as vLLM and proxies send them, and line ends of the other kind."""
    for event in events:
        yield b": keep-alive\r\n\r\n"
        yield event.replace(b"\n", b"\r\n")


@dataclass
class FakeEndpoint:
    """What the server is like; tests change single fields."""

    spoil: Spoiler | None = None
    spoil_chunks: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None
    events: Callable[[list[bytes]], list[bytes]] | None = None
    packets: Callable[[Iterable[bytes]], Iterator[bytes]] = one_event_each
    cut: bool = False  # drop the connection where the stream should end
    api_key: str | None = None
    health: int = 200
    version: str | None = "0.32.0"
    models: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": "pocket", "object": "model", "root": "/models/pocket", "max_model_len": 2048}]
    )
    pages: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)  # path -> status, type, body
    tokens_per_tool: int = 40
    shows_metrics: bool = False
    clamps: bool = True  # max_tokens to what the context leaves, as vLLM from 0.32 on; else it refuses
    cuts_prompts: bool = False  # silently, as some servers do
    host_opens: bool = False  # a crafted Host header gets past the key, as in vLLM up to 0.20
    seconds_per_chat: float = 0.0
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def answer(self, request: Request) -> Answer | Refusal:
        self.requests.append(request)
        time.sleep(self.seconds_per_chat)
        if request["model"] not in [model["id"] for model in self.models]:
            return Refusal(404, f"The model `{request['model']}` does not exist.")
        if refusal := self._refusal(request):
            return refusal
        right = right_answer(request)
        answer = self.spoil(request, right) if self.spoil else right
        if isinstance(answer, Answer) and answer.completion_tokens > request.get("max_tokens", 512):
            return cut(answer, request["max_tokens"], stream=request["stream"])
        return answer

    def _refusal(self, request: Request) -> Refusal | None:
        context, prompt = self.models[0].get("max_model_len") or 2048, self.prompt_tokens(request)
        output = request.get("max_tokens", 512)
        too_long = prompt > context and not self.cuts_prompts
        if too_long or output > context or (not self.clamps and prompt + output > context):
            return Refusal(400, f"This model's maximum context length is {context} tokens.")
        return None

    def prompt_tokens(self, request: Request) -> int:
        words = sum(len((message["content"] or "").split()) for message in request["messages"])
        return 10 + words + self.tokens_per_tool * len(request.get("tools", []))

    def usage(self, request: Request, answer: Answer) -> dict[str, int]:
        prompt = self.prompt_tokens(request)
        completion_tokens = answer.completion_tokens
        return {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion_tokens,
            "completion_tokens": completion_tokens,
        }

    def stream(self, request: Request, answer: Answer) -> list[bytes]:
        made = chunks(answer, self.usage(request, answer))
        if self.spoil_chunks:
            made = self.spoil_chunks(made)
        events = [*(sse(chunk) for chunk in made), DONE]
        return self.events(events) if self.events else events

    def handler(self) -> type[EndpointHandler]:
        """What answers requests; a stand-in that can do more has a handler of its own."""
        return EndpointHandler

    @contextlib.contextmanager
    def serving(self, port: int = 0) -> Iterator[FakeEndpoint]:
        """Serve until the block ends; ``url`` is the base_url."""
        handler = type("Handler", (self.handler(),), {"endpoint": self})
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class EndpointHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: FakeEndpoint

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        endpoint = self.endpoint
        if self.path in endpoint.pages:
            self._send(*endpoint.pages[self.path])
        elif self.path == "/health":
            self._send(endpoint.health, "text/plain", b"")
        elif self.path == "/version" and endpoint.version:
            self._json(200, {"version": endpoint.version})
        elif self.path == "/metrics" and endpoint.shows_metrics:
            self._send(200, "text/plain", b"vllm:num_requests_running 0\n")
        elif self.path == "/v1/models":
            if (endpoint.host_opens and "?" in self.headers["Host"]) or self._authorised():
                self._json(200, {"object": "list", "data": endpoint.models})
        else:
            self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        endpoint = self.endpoint
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._authorised():
            return
        if self.path in endpoint.pages:
            self._send(*endpoint.pages[self.path])
            return
        if self.path != "/v1/chat/completions":
            self._json(404, {"detail": "Not Found"})
            return
        request = json.loads(body)
        answer = endpoint.answer(request)
        if isinstance(answer, Refusal):
            self._json(answer.status, answer.body())
        elif request.get("stream"):
            self._stream(endpoint.packets(endpoint.stream(request, answer)))
        else:
            self._json(200, completion(answer, endpoint.usage(request, answer)))

    def _authorised(self) -> bool:
        key = self.endpoint.api_key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return True
        self._json(401, {"error": "Unauthorized"})
        return False

    def _stream(self, packets: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            for packet in packets:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(packet), packet))
                self.wfile.flush()
            if self.endpoint.cut:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")

    def _json(self, status: int, document: Any) -> None:
        self._send(status, "application/json", json.dumps(document).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # a client that has given up is none of our business
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


# Ways to be wrong, each with the real-life fault that looks like this.


def markup_left(name: str) -> Spoiler:
    """The parser does not read what the model writes, as vLLM's hermes with <tools>."""

    def spoil(_request: Request, answer: Answer) -> Answer:
        if not answer.calls:
            return answer
        lines = [f'<{name}>{{"name": "{tool}", "arguments": {arguments}}}</{name}>' for tool, arguments in answer.calls]
        return Answer("\n".join(lines))

    return spoil


def flags_missing(request: Request, answer: Answer) -> Answer | Refusal:
    """vLLM without --enable-auto-tool-choice."""
    if not request.get("tools"):
        return answer
    return Refusal(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')


def first_call(change: Callable[[str, str], tuple[str, str]], *, streamed_only: bool = False) -> Spoiler:
    """Change name and arguments of the first call."""

    def spoil(request: Request, answer: Answer) -> Answer:
        if not answer.calls or (streamed_only and not request["stream"]):
            return answer
        return replace(answer, calls=(change(*answer.calls[0]), *answer.calls[1:]))

    return spoil


def last_call_lost(*, streamed_only: bool = False) -> Spoiler:
    """A parser that loses the last call."""

    def spoil(request: Request, answer: Answer) -> Answer:
        if not answer.calls or (streamed_only and not request["stream"]):
            return answer
        lost = replace(answer, calls=answer.calls[:-1])
        return lost if lost.calls else replace(lost, content="I will do that.")

    return spoil
