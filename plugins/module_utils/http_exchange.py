# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP request and its answer, with a deadline that nothing stretches.

The timeouts of the standard library bound each single read; a server that sends one byte a second never runs into
them. Here every send and receive gets only the time that the whole request has left.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import json
import os
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import (
    EndpointError,
    http_error,
    translated,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.sse import SseDecoder

EXAMPLE_BASE_URL = "http://127.0.0.1:8000/v1"
MAX_BODY_BYTES = 32 * 1024 * 1024
PACKET_BYTES = 64 * 1024


class Transport:
    """Sends requests to one server. ``timeout`` bounds each of them, ``deadline`` all together (seconds).

    Redirects and proxies are not followed: what is checked is the endpoint that was named.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        validate_certs: bool,
        ca_path: str | None,
        timeout: float,
        deadline: float | None,
    ) -> None:
        self.root, parts = _split(base_url)
        self._timeout = timeout
        self._ends = None if deadline is None else time.monotonic() + deadline
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = urllib.parse.urlsplit(self.root).path
        self._tls = _tls_context(validate_certs, ca_path) if parts.scheme == "https" else None
        self._api_key = _checked_key(api_key)

    def where(self, method: str, path: str) -> str:
        """How messages name a request."""
        return f"{method} {self.root}{path}"

    def without_key(self, text: str) -> str:
        """``text`` from the server, in case it echoes the key."""
        return text.replace(self._api_key, "***") if self._api_key else text

    @property
    def on_loopback(self) -> bool:
        """Whether the address is one that only this machine reaches."""
        try:
            return ipaddress.ip_address(self._host).is_loopback
        except ValueError:
            return self._host == "localhost"

    @contextlib.contextmanager
    def request(
        self,
        method: str,
        path: str,
        document: dict[str, Any] | None = None,
        *,
        authenticate: bool = True,
        host: str | None = None,
    ) -> Iterator[Exchange]:
        """The answer to a request, if it is HTTP 200; everything else, also while it is read, is an EndpointError."""
        where = self.where(method, path)
        headers = {"Accept": "*/*", "Connection": "close", "User-Agent": "toolserve.gpunode"}
        body = None
        if document is not None:
            body = json.dumps(document).encode()
            headers["Content-Type"] = "application/json"
        if self._api_key and authenticate:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if host is not None:
            headers["Host"] = host
        started = time.monotonic()
        ends = started + self._timeout
        if self._ends is not None:
            ends = min(ends, self._ends)
        try:
            with self._connected(ends) as connection:
                connection.request(method, self._prefix + path, body=body, headers=headers)
                exchange = Exchange(connection.getresponse(), started)
                if exchange.status != 200:
                    raise http_error(where, exchange.status, self.without_key(exchange.body()))
                yield exchange
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise translated(error, where, max(ends - started, 0.0)) from error

    @contextlib.contextmanager
    def _connected(self, ends: float) -> Iterator[http.client.HTTPConnection]:
        remaining = _remaining(ends)
        if self._tls is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=remaining)
        else:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=remaining, context=self._tls)
        connection.connect()
        real = connection.sock
        try:
            connection.sock = _DeadlineSocket(real, ends)
            yield connection
        finally:
            real.close()


class Exchange:
    """One answer that is being read."""

    def __init__(self, response: http.client.HTTPResponse, started: float) -> None:
        self._response = response
        self._started = started
        self.status = response.status
        self.content_type = response.getheader("Content-Type") or ""

    def elapsed(self) -> float:
        """Seconds since the request was sent."""
        return time.monotonic() - self._started

    def body(self) -> str:
        """The whole answer."""
        data = self._response.read(MAX_BODY_BYTES)
        if self._response.length and len(data) < MAX_BODY_BYTES:
            raise http.client.IncompleteRead(data)
        return data.decode("utf-8", errors="replace")

    def events(self) -> Iterator[str]:
        """The data of each server-sent event as it arrives."""
        decoder = SseDecoder()
        while packet := self._response.read1(PACKET_BYTES):
            yield from decoder.feed(packet)
        yield from decoder.close()


class _DeadlineSocket:
    """What http.client sees of the socket: every send and receive gets only the time that is left."""

    def __init__(self, real: socket.socket, ends: float) -> None:
        self._real = real
        self._ends = ends

    def sendall(self, data: bytes) -> None:
        self._real.settimeout(_remaining(self._ends))
        self._real.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._real, self._ends))

    def close(self) -> None:
        """http.client closes before the answer is read; Transport closes the real socket afterwards."""


class _DeadlineReader(io.RawIOBase):
    def __init__(self, real: socket.socket, ends: float) -> None:
        super().__init__()
        self._real = real
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._real.settimeout(_remaining(self._ends))
        return self._real.recv_into(buffer)


def _remaining(ends: float) -> float:
    remaining = ends - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _split(base_url: str) -> tuple[str, urllib.parse.SplitResult]:
    text = base_url.strip().rstrip("/")
    problem = EndpointError(
        "config",
        f"base_url {text.rpartition('@')[2]!r} is not usable",
        "It must be http:// or https://, a host and an optional port and path, without user, query or fragment.",
        f"Write it like {EXAMPLE_BASE_URL}; a key belongs into api_key.",
    )
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise problem from None
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise problem
    return text.removesuffix("/v1").rstrip("/"), parts


def _tls_context(validate_certs: bool, ca_path: str | None) -> ssl.SSLContext:
    if not validate_certs:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if ca_path and os.path.isdir(ca_path):
            return ssl.create_default_context(capath=ca_path)
        return ssl.create_default_context(cafile=ca_path or None)
    except OSError as error:  # ssl.SSLError is one
        raise EndpointError(
            "config",
            f"ca_path {ca_path} cannot be used: {error}",
            "The server's certificate cannot be checked without it.",
            "Name a file with PEM certificates that exists on the machine that runs the check.",
        ) from error


def _checked_key(api_key: str | None) -> str:
    key = (api_key or "").strip()
    if not key.isascii() or not key.isprintable():
        raise EndpointError(
            "config",
            "api_key holds characters that no HTTP header can carry",
            "It was probably read from a file or a vault with something else in it.",
            "Give the key alone, without line breaks.",
        )
    return key
