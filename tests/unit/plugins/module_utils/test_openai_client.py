# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.tests.unit.plugins import fake_endpoint as fake
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import Answer, FakeEndpoint
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Serve = Callable[..., FakeEndpoint]
TEXT = "Grüße, 世界 🌍 \u2028 and \u0085 are no line ends"


def chat(stream: bool, text: str = "Read the files /a/b and /c/d.") -> dict[str, Any]:
    tools = [{"function": {"name": "read"}}]
    return {"model": "pocket", "messages": [{"role": "user", "content": text}], "tools": tools, "stream": stream}


def failure(act: Callable[[], Any]) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        act()
    return caught.value


@pytest.mark.parametrize("suffix", ["/v1", "/v1/", "", "/"])
def test_the_base_url_may_lack_v1(serve: Serve, suffix: str) -> None:
    client = OpenAIClient(serve().url.removesuffix("/v1") + suffix)
    assert client.get_json("/v1/models")["data"][0]["id"] == "pocket"
    assert client.get_text("/health") == ""
    assert client.base_url.endswith("/v1")


@pytest.mark.parametrize(
    "packets", [fake.one_event_each, fake.one_byte_each, fake.with_keep_alives, lambda events: [b"".join(events)]]
)
def test_streamed_is_the_same_as_plain_however_it_arrives(serve: Serve, packets: Any) -> None:
    def spoil(_request: Any, answer: Answer) -> Answer:
        return Answer(TEXT, answer.calls)

    client = OpenAIClient(serve(packets=packets, spoil=spoil).url)
    plain, streamed = (client.chat(chat(stream)) for stream in (False, True))
    assert plain.content == streamed.content == TEXT
    for one, other in zip(plain.tool_calls, streamed.tool_calls, strict=True):
        assert asdict(one) == asdict(other)
    assert [call.arguments for call in streamed.tool_calls] == ['{"filePath": "/a/b"}', '{"filePath": "/c/d"}']
    assert plain.usage == streamed.usage and plain.tokens("prompt") == 56
    assert plain.finish_reasons == streamed.finish_reasons == ["tool_calls"]
    assert plain.role_count == streamed.role_count == 1
    assert plain.model == streamed.model == "pocket"
    assert streamed.index_order == sorted(streamed.index_order) and set(streamed.index_order) == {0, 1}
    assert streamed.chunk_count > plain.chunk_count == 1
    assert streamed.ttft is not None and 0 < streamed.ttft <= streamed.seconds


def test_what_only_the_wire_shows_is_kept(serve: Serve) -> None:
    def twice(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [chunk for chunk in chunks for _time in range(2 if "read" in json.dumps(chunk) else 1)]

    call = OpenAIClient(serve(spoil_chunks=twice).url).chat(chat(True)).tool_calls[0]
    assert (call.name, call.names_sent, len(call.ids_sent)) == ("read", ["read", "read"], 2)


def test_a_call_whose_id_or_name_comes_late_is_noted(serve: Serve) -> None:
    def late(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        head = next(chunk for chunk in chunks if chunk["choices"] and "tool_calls" in chunk["choices"][0]["delta"])
        bare = fake._chunk([{"delta": {"tool_calls": [{"index": 0, "type": "function"}]}}])
        return [*chunks[: chunks.index(head)], bare, *chunks[chunks.index(head) :]]

    client = OpenAIClient(serve(spoil_chunks=late).url)
    assert [call.announced for call in client.chat(chat(True)).tool_calls] == [False, True]
    assert [call.announced for call in client.chat(chat(False)).tool_calls] == [True, True]


def test_calls_without_index_and_arguments_as_object_are_noted(serve: Serve) -> None:
    def spoil(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        part = {"id": "x", "type": "function", "function": {"name": "read", "arguments": {"a": 1}}}
        return [fake._chunk([{"delta": {"tool_calls": [part]}}]), *chunks[-2:]]

    reply = OpenAIClient(serve(spoil_chunks=spoil).url).chat(chat(True))
    assert reply.tool_calls[0].arguments == '{"a": 1}'
    assert any("no index" in note for note in reply.violations)
    assert any("arguments is dict" in note for note in reply.violations)


def test_an_error_in_the_stream(serve: Serve) -> None:
    error = {"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}}

    def events(made: list[bytes]) -> list[bytes]:
        return [*made[:2], fake.sse(error), fake.DONE]

    caught = failure(lambda: OpenAIClient(serve(events=events).url).chat(chat(True)))
    assert (caught.kind, caught.status) == ("protocol", 500)
    assert "an error inside the stream: EngineCore died" in str(caught)


@pytest.mark.parametrize("cut", [True, False])
def test_a_stream_that_breaks_off(serve: Serve, cut: bool) -> None:
    endpoint = serve(events=lambda made: made[:3], cut=cut)
    caught = failure(lambda: OpenAIClient(endpoint.url).chat(chat(True)))
    assert caught.kind == "protocol"
    assert ("cut in the middle" if cut else "ended without [DONE] after 3 chunks") in str(caught)


def test_a_chunk_that_is_not_json(serve: Serve) -> None:
    caught = failure(lambda: OpenAIClient(serve(events=lambda made: [b"data: {oops\n\n"]).url).chat(chat(True)))
    assert caught.kind == "protocol" and "a chunk of the stream is not JSON" in str(caught)


def test_a_document_instead_of_a_stream(serve: Serve) -> None:
    pages = {"/v1/chat/completions": (200, "application/json", b"{}")}
    caught = failure(lambda: OpenAIClient(serve(pages=pages).url).chat(chat(True)))
    assert caught.kind == "protocol" and "the answer is application/json" in str(caught)


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"<html>", "protocol", "the answer is not JSON"),
        (b"{}", "protocol", "the answer holds no choices"),
        (b'{"choices": [{}]}', "protocol", "holds no message"),
        (b'{"error": {"message": "no", "code": 400}}', "http", "HTTP 400: no"),
        (b'{"object": "error", "message": "old form", "code": 400}', "http", "HTTP 400: old form"),
    ],
)
def test_answers_that_are_none(serve: Serve, body: bytes, kind: str, told: str) -> None:
    pages = {"/v1/chat/completions": (200, "application/json", body)}
    caught = failure(lambda: OpenAIClient(serve(pages=pages).url).chat(chat(False)))
    assert caught.kind == kind and told in str(caught)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, b'{"error": "Unauthorized"}', "HTTP 401: Unauthorized. The server wants an API key"),
        (403, b"", "HTTP 403. The server knows the caller"),
        (307, b"", "redirects are not followed"),
        (422, b'{"detail": []}', "The server refuses this request"),
        (503, b"<html>busy</html>", "failed at this request"),
    ],
)
def test_error_statuses(serve: Serve, status: int, body: bytes, told: str) -> None:
    client = OpenAIClient(serve(pages={"/v1/models": (status, "text/plain", body)}).url)
    caught = failure(lambda: client.get_json("/v1/models"))
    assert (caught.kind, caught.status) == ("http", status)
    assert told in str(caught) and str(caught).startswith("GET http://127.0.0.1:")
    assert client.status("/v1/models") == status


def test_the_key_is_sent_and_never_told(serve: Serve) -> None:
    key = "canary-4711"
    url = serve(api_key=key).url
    client = OpenAIClient(url, key)
    assert client.get_json("/v1/models")["data"]
    assert client.status("/v1/models", authenticate=False) == 401
    pages = {"/v1/models": (400, "text/plain", f"you sent Bearer {key}".encode())}
    caught = failure(lambda: OpenAIClient(serve(pages=pages).url, key).get_json("/v1/models"))
    assert "Bearer ***" in caught.body
    assert key not in json.dumps(caught.as_dict())


def test_nothing_listens(dead_url: str) -> None:
    caught = failure(lambda: OpenAIClient(dead_url).get_text("/health"))
    assert (caught.kind, caught.seen) == ("unreachable", "connection refused")
    assert "Nothing listens there" in str(caught) and "Check" in str(caught)


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    caught = failure(lambda: OpenAIClient("http://no-such-host.invalid:1").get_text("/health"))
    assert caught.kind == "unreachable" and "cannot be resolved" in str(caught)


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that does to each connection whatever the test says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def start(serve: Callable[[socket.socket], None]) -> str:
            def loop() -> None:
                while True:
                    try:
                        connection = listener.accept()[0]
                    except OSError:
                        return
                    with connection:
                        try:
                            serve(connection)
                        except OSError:
                            continue

            threading.Thread(target=loop, daemon=True).start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start
        listener.shutdown(socket.SHUT_RDWR)


def test_a_connection_closed_at_once_as_dockers_proxy_does(raw_server: Any) -> None:
    caught = failure(lambda: OpenAIClient(raw_server(lambda _connection: None)).get_text("/health"))
    assert (caught.kind, caught.seen) == ("unreachable", "connection closed without an answer")


def test_something_that_is_no_http(raw_server: Any) -> None:
    url = raw_server(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert failure(lambda: OpenAIClient(url).get_text("/health")).kind == "protocol"


def test_a_body_shorter_than_announced(raw_server: Any) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")

    caught = failure(lambda: OpenAIClient(raw_server(serve)).get_text("/health"))
    assert caught.kind == "protocol" and "cut in the middle" in str(caught)


@pytest.mark.parametrize(
    "opening",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:",
    ],
)
def test_a_server_that_dribbles_does_not_stretch_the_timeout(raw_server: Any, opening: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(opening)
        for _time in range(100):
            connection.sendall(b" ") if opening else None
            time.sleep(0.02)

    started = time.monotonic()
    caught = failure(lambda: OpenAIClient(raw_server(serve), timeout=0.3).chat(chat(True)))
    assert caught.kind == "timeout"
    assert 0.2 < time.monotonic() - started < 1.0


def test_a_stream_that_stalls_ends_with_the_timeout(serve: Serve) -> None:
    released = threading.Event()

    def stalling(events: Any) -> Iterator[bytes]:
        yield from list(events)[:3]
        released.wait(30)

    try:
        client = OpenAIClient(serve(packets=stalling).url, timeout=0.3)
        assert failure(lambda: client.chat(chat(True))).kind == "timeout"
    finally:
        released.set()


def test_a_redirect_is_not_followed_and_never_sees_the_key(raw_server: Any) -> None:
    seen: list[bytes] = []

    def target(connection: socket.socket) -> None:
        seen.append(connection.recv(4096))

    elsewhere = raw_server(target)
    location = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}/v1/models\r\nContent-Length: 0\r\n\r\n"

    def redirecting(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(location.encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: redirecting(listener.accept()[0]), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        caught = failure(lambda: OpenAIClient(url, "canary-4711").get_json("/v1/models"))
    assert caught.status == 307 and "Give the final address as base_url" in caught.fix
    assert seen == []


def test_a_proxy_of_the_environment_is_not_used(serve: Serve, dead_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, dead_url)
    assert OpenAIClient(serve().url, "canary-4711").get_text("/health") == ""


def test_the_deadline_covers_all_requests(serve: Serve) -> None:
    client = OpenAIClient(serve().url, timeout=30, deadline=0.2)
    assert client.get_text("/health") == ""
    time.sleep(0.25)
    assert failure(lambda: client.get_text("/health")).kind == "timeout"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://host/v1",
        "http://",
        "http://host:99999/v1",
        "http://host/v1?key=1",
        "http://u:pw@host/v1",
    ],
)
def test_unusable_base_urls(url: str) -> None:
    caught = failure(lambda: OpenAIClient(url))
    assert caught.kind == "config" and "Write it like http://127.0.0.1:8000/v1" in str(caught)
    assert "pw" not in str(caught)


def test_a_key_that_no_header_can_carry() -> None:
    caught = failure(lambda: OpenAIClient("http://host", "secret\nSet-Cookie: x"))
    assert caught.kind == "config" and "secret" not in str(caught)


def test_a_missing_ca_file() -> None:
    caught = failure(lambda: OpenAIClient("https://host", ca_path="/does/not/exist.pem"))
    assert caught.kind == "config" and "/does/not/exist.pem" in str(caught)


@pytest.fixture
def tls_server(tmp_path: Path, raw_server: Any) -> tuple[str, Path]:
    """An HTTPS server with a certificate of its own for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(4096)
            encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    return raw_server(serve).replace("http:", "https:"), pem


def test_tls(tls_server: tuple[str, Path]) -> None:
    url, ca_file = tls_server
    assert OpenAIClient(url, ca_path=str(ca_file)).get_text("/health") == "hi"
    assert OpenAIClient(url, validate_certs=False).get_text("/health") == "hi"
    caught = failure(lambda: OpenAIClient(url).get_text("/health"))
    assert caught.kind == "tls" and "ca_path" in caught.fix
    other_name = url.replace("127.0.0.1", "localhost")
    assert failure(lambda: OpenAIClient(other_name, ca_path=str(ca_file)).get_text("/health")).kind == "tls"


def test_tls_to_a_plain_server(serve: Serve) -> None:
    caught = failure(lambda: OpenAIClient(serve().url.replace("http:", "https:")).get_text("/health"))
    assert caught.kind == "tls" and "plain HTTP" in caught.means
