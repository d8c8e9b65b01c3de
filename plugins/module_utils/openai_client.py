# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small client for OpenAI-compatible endpoints: standard library only, so that it runs on any target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import (
    ChatReply,
    StreamAssembler,
    error_in,
    from_completion,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.completion import Completion
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import (
    EndpointError,
    http_error,
    stream_error,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.http_exchange import Exchange, Transport

CHAT_PATH = "/v1/chat/completions"
COMPLETIONS_PATH = "/v1/completions"


class OpenAIClient:
    """Talks to one endpoint; ``base_url`` is given with or without /v1.

    ``timeout`` bounds each request, ``deadline`` all of them together (seconds). Whatever goes wrong comes out as
    one exception, EndpointError.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        validate_certs: bool = True,
        ca_path: str | None = None,
        timeout: float = 60.0,
        deadline: float | None = None,
    ) -> None:
        self._transport = Transport(
            base_url, api_key, validate_certs=validate_certs, ca_path=ca_path, timeout=timeout, deadline=deadline
        )
        self.base_url = self._transport.root + "/v1"
        self.has_key = bool(api_key and api_key.strip())

    def get_text(self, path: str) -> str:
        """GET ``path``, counted from the root of the server (such as /version or /v1/models)."""
        with self._transport.request("GET", path) as exchange:
            return exchange.body()

    def get_json(self, path: str) -> Any:
        """The same, parsed."""
        return self._parsed("GET", path, self.get_text(path))

    @property
    def on_loopback(self) -> bool:
        """Whether the address is one that only this machine reaches."""
        return self._transport.on_loopback

    def status(self, path: str, *, authenticate: bool = True, host: str | None = None) -> int:
        """The HTTP status of GET ``path``; here an error status is an answer, not an exception.

        ``host``: what to send as Host header, instead of the truth.
        """
        try:
            with self._transport.request("GET", path, authenticate=authenticate, host=host) as exchange:
                return exchange.status
        except EndpointError as error:
            if error.kind == "http" and error.status is not None:
                return error.status
            raise

    def chat(self, request: dict[str, Any]) -> ChatReply:
        """POST /v1/chat/completions; streamed when the request says so."""
        with self._transport.request("POST", CHAT_PATH, request) as exchange:
            if request.get("stream"):
                return self._stream(exchange)
            text = exchange.body()
            document = self._parsed("POST", CHAT_PATH, text)
            if (error := error_in(document)) is not None:
                where = self._transport.where("POST", CHAT_PATH)
                raise http_error(where, error[1] or exchange.status, self._transport.without_key(text))
            reply = from_completion(document)
            reply.seconds = exchange.elapsed()
            return reply

    def complete(self, request: dict[str, Any]) -> Completion:
        """POST /v1/completions as a stream that tells its usage, whatever the request says of that."""
        request = {**request, "stream": True, "stream_options": {"include_usage": True}}
        completion = Completion()
        with self._transport.request("POST", COMPLETIONS_PATH, request) as exchange:
            for chunk, elapsed in self._chunks(exchange, COMPLETIONS_PATH):
                completion.add(chunk, elapsed)
        return completion

    def _stream(self, exchange: Exchange) -> ChatReply:
        assembler = StreamAssembler()
        for chunk, elapsed in self._chunks(exchange, CHAT_PATH):
            assembler.add(chunk, elapsed)
        assembler.reply.seconds = exchange.elapsed()
        return assembler.reply

    def _chunks(self, exchange: Exchange, path: str) -> Iterator[tuple[Any, float]]:
        """Whatever the stream holds before [DONE]; without that it is an EndpointError."""
        where = self._transport.where("POST", path)
        if "text/event-stream" not in exchange.content_type:
            raise EndpointError(
                "protocol",
                f"a stream was asked for, and the answer is {exchange.content_type or 'of no declared type'}",
                "The server, or something before it, does not stream.",
                "Check that base_url names the model server itself, or that the proxy before it passes streams on.",
                where=where,
                body=self._transport.without_key(exchange.body()),
            )
        count, data = 0, ""
        for data in exchange.events():
            if data.strip() == "[DONE]":
                return
            count += 1
            try:
                chunk = json.loads(data)
            except ValueError:
                raise ValueError("a chunk of the stream is not JSON") from None
            if (error := error_in(chunk)) is not None:
                raise stream_error(where, error[0], error[1], self._transport.without_key(data))
            yield chunk, exchange.elapsed()
        raise EndpointError(
            "protocol",
            f"the stream ended without [DONE] after {count} chunks",
            "The answer is incomplete: the server gave up, or something in between cut the connection.",
            "Look into the server's log for this moment; raise the read timeout of a proxy in between.",
            where=where,
            body=self._transport.without_key(data),
        )

    def _parsed(self, method: str, path: str, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise EndpointError(
                "protocol",
                "the answer is not JSON",
                "This is no OpenAI-compatible API.",
                "Check base_url: it must lead to the model server, not to a web page or a proxy's own page.",
                where=self._transport.where(method, path),
                body=self._transport.without_key(text),
            ) from None
