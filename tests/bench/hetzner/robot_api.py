# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Hetzner's Robot web service on loopback, for the real modules of community.hrobot.

    python -m tests.bench.hetzner.robot_api --server 321=192.0.2.7 --on-reset ./restart-machine --log requests.jsonl

The modules call https://robot-ws.your-server.de, and that name cannot be set. Whoever runs them gets two variables:
`HTTPS_PROXY` leads to this server, which as a proxy ends the tunnel to that name itself, and `SSL_CERT_FILE` names the
authority of its certificate. Tunnels to anything else are refused, so that no test talks to the world.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.bench.hetzner.certificates import server_context
from tests.bench.hetzner.robot_server import Answer, Form, Refusal, Reset, Server

NAME = "robot-ws.your-server.de"
USER, PASSWORD = "#ws+bench", "canary-of-the-robot-user"
_FAILURES_UNTIL_BLOCKED, _BLOCKED_SECONDS = 3, 600.0
_BITS = {"ssh-ed25519": ("ED25519", 256), "ecdsa-sha2-nistp256": ("ECDSA", 256), "ssh-rsa": ("RSA", 3072)}

OnReset = Callable[[Reset], Mapping[str, str] | None]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    form: dict[str, list[str]]
    status: int  # of the answer


@dataclass
class Fault:
    """An answer in place of the service's own, for the next requests that match."""

    request: re.Pattern[str]  # of "METHOD /path"
    refusal: Refusal | None  # None: an answer without content
    status: int
    times: int


@dataclass
class Robot:
    """The service.

    ``on_reset`` is called in a thread of its own for each reset that a machine gets. Where the rescue system boots it
    returns when that runs, with the SHA-256 fingerprints of its host keys by their type; None stands for one that never
    comes up. ``on_firewall`` is called when a firewall has changed.
    """

    servers: Sequence[Server]
    on_reset: OnReset | None = None
    on_firewall: Callable[[Server], None] | None = None
    user: str = USER
    password: str = PASSWORD
    log: Path | None = None
    now: Callable[[], float] = time.monotonic
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)  # by fingerprint
    requests: list[Request] = field(default_factory=list)
    refused_tunnels: list[str] = field(default_factory=list)
    maintenance: bool = False
    limit: tuple[int, int] | None = None  # requests, seconds
    _faults: list[Fault] = field(default_factory=list)
    _failed_logins: dict[str, int] = field(default_factory=dict)
    _blocked_until: dict[str, float] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _environment: dict[str, str] = field(default_factory=dict)

    # -- what a test does --------------------------------------------------------------------------------------------

    @contextmanager
    def serving(self, folder: Path | None = None) -> Iterator[Robot]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = folder or Path(temporary)
            server = _Proxy(self, folder)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            proxy = f"http://127.0.0.1:{server.server_address[1]}"
            self._environment = {
                "HTTPS_PROXY": proxy,
                "https_proxy": proxy,
                "NO_PROXY": "",
                "no_proxy": "",
                "SSL_CERT_FILE": str(folder / "ca.pem"),
            }
            try:
                yield self
            finally:
                server.shutdown()
                server.server_close()

    def environment(self, *, credentials: bool = True) -> dict[str, str]:
        """What the process that runs the modules needs to reach this server; with a user and password that it knows."""
        login = {"HROBOT_API_USER": self.user, "HROBOT_API_PASSWORD": self.password}
        return {**self._environment, **(login if credentials else {})}

    def changes(self) -> list[Request]:
        """The requests that were to change something, in their order."""
        return [request for request in self.requests if request.method != "GET"]

    def fail(self, request: str, status: int, code: str = "", message: str = "", times: int = 1, **fields: Any) -> None:
        """Answer the next requests whose "METHOD /path" matches so; without a code, with no content at all."""
        refusal = Refusal(status, code, message, **fields) if code else None
        self._faults.append(Fault(re.compile(request), refusal, status, times))

    def add_key(self, name: str, text: str) -> str:
        """Deposit a public key, and return the fingerprint by which the service knows it."""
        kind, data = text.split()[:2]
        blob = base64.b64decode(data, validate=True)
        if blob[4 : 4 + struct.unpack(">I", blob[:4])[0]].decode() != kind or kind not in _BITS:
            raise ValueError(f"{text!r} is no public key")
        digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
        fingerprint = ":".join(re.findall("..", digest))
        shown, bits = _BITS[kind]
        self.keys[fingerprint] = {
            "name": name,
            "fingerprint": fingerprint,
            "type": shown,
            "size": bits,
            "data": f"{kind} {data}",
            "created_at": "2026-11-21 12:00:00",
        }
        return fingerprint

    # -- the service -------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, form: Form, authorization: str, client: str) -> Answer:
        with self._lock:
            try:
                status, document = self._answer(method, path, form, authorization, client)
            except Refusal as refusal:
                status, document = refusal.status, refusal.document
            request = Request(method, path, {name: list(values) for name, values in form.items()}, status)
            self.requests.append(request)
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(request)) + "\n")
        return status, document

    def _answer(self, method: str, path: str, form: Form, authorization: str, client: str) -> Answer:
        self._admit(authorization, client)
        if self.maintenance:
            return 503, None
        if self.limit is not None and len(self.requests) >= self.limit[0]:
            most, seconds = self.limit
            raise Refusal(403, "RATE_LIMIT_EXCEEDED", "rate limit exceeded", max_request=most, interval=seconds)
        for fault in self._faults:
            if fault.times > 0 and fault.request.search(f"{method} {path}"):
                fault.times -= 1
                if fault.refusal is not None:
                    raise fault.refusal
                return fault.status, None
        match path.strip("/").split("/"):
            case ["server"] if method == "GET":
                return 200, [server.listed() for server in self.servers]
            case ["server", number] if method == "GET":
                return 200, self._server(number).detailed()
            case ["key", *rest] if len(rest) < 2:
                return self._key(method, rest[0] if rest else "", form)
            case ["boot", number, *rest]:
                return self._boot(method, self._server(number), rest, form)
            case ["reset", number]:
                return self._reset(method, self._server(number), form)
            case ["firewall", number]:
                return self._firewall(method, self._server(number), form)
        raise Refusal(404, "NOT_FOUND", "Not found")

    def _admit(self, authorization: str, client: str) -> None:
        """An address with three failed logins is turned away for ten minutes, also with the right password."""
        right = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.now() >= self._blocked_until.get(client, 0.0) and authorization == right:
            self._failed_logins[client] = 0
            return
        self._failed_logins[client] = failed = self._failed_logins.get(client, 0) + 1
        if failed >= _FAILURES_UNTIL_BLOCKED:
            self._failed_logins[client] = 0
            self._blocked_until[client] = self.now() + _BLOCKED_SECONDS
        raise Refusal(401, "UNAUTHORIZED", "Unauthorized")

    def _server(self, number: str) -> Server:
        for server in self.servers:
            if str(server.number) == number:
                return server
        raise Refusal(404, "SERVER_NOT_FOUND", f"Server with id {number} not found")

    def _key(self, method: str, fingerprint: str, form: Form) -> Answer:
        if fingerprint:
            if fingerprint not in self.keys:
                raise Refusal(404, "NOT_FOUND", "Key not found")
            key = self.keys[fingerprint]
            if method == "DELETE":
                del self.keys[fingerprint]
                return 200, None
            if method == "POST":
                key["name"] = form["name"][0]
            return 200, {"key": key}
        if method == "GET":
            if not self.keys:
                raise Refusal(404, "NOT_FOUND", "No keys found")
            return 200, [{"key": key} for key in self.keys.values()]
        missing = [name for name in ("name", "data") if not form.get(name)]
        if missing:
            raise Refusal(400, "INVALID_INPUT", "invalid input", missing=missing, invalid=None)
        before = dict(self.keys)
        try:
            fingerprint = self.add_key(form["name"][0], form["data"][0])
        except (ValueError, struct.error):
            raise Refusal(400, "INVALID_INPUT", "invalid input", missing=None, invalid=["data"]) from None
        if fingerprint in before:
            self.keys = before
            raise Refusal(409, "KEY_ALREADY_EXISTS", "The supplied key already exists")
        return 201, {"key": self.keys[fingerprint]}

    def _boot(self, method: str, server: Server, rest: Sequence[str], form: Form) -> Answer:
        match method, *rest:
            case ["GET"]:
                return 200, server.boot()
            case ["GET", "rescue"]:
                return 200, server.rescue_state()
            case ["GET", "rescue", "last"]:
                return 200, server.rescue_last()
            case ["POST", "rescue"]:
                return 200, server.activate_rescue(form, self.keys)
            case ["DELETE", "rescue"]:
                return 200, server.deactivate_rescue()
        raise Refusal(404, "BOOT_NOT_AVAILABLE", "No boot configuration available for this server")

    def _reset(self, method: str, server: Server, form: Form) -> Answer:
        if method == "GET":
            return 200, server.reset_options()
        document, reset = server.press(form, self.keys)
        if reset is not None:
            threading.Thread(target=self._machine_boots, args=(server, reset), daemon=True).start()
        return 200, document

    def _machine_boots(self, server: Server, reset: Reset) -> None:
        host_keys = self.on_reset(reset) if self.on_reset is not None else None
        if reset.rescue and host_keys:
            with self._lock:
                server.rescue_has_booted(host_keys)

    def _firewall(self, method: str, server: Server, form: Form) -> Answer:
        if method == "GET":
            return 200, server.firewall_state()
        document = server.set_firewall(form)
        if self.on_firewall is not None:
            self.on_firewall(server)
        return 202, document


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, robot: Robot, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.robot = robot
        self.context = server_context(NAME, folder)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy
    inside = False  # the tunnel

    def do_CONNECT(self) -> None:
        if self.path != f"{NAME}:443":
            self.server.robot.refused_tunnels.append(self.path)
            self.send_error(502, "the stand-in leads to Robot only")
            return
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", 0)
        self.inside, self.close_connection = True, False

    def _respond(self) -> None:
        if not self.inside:
            self.send_error(502, "the stand-in takes tunnels only")
            return
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path, authorization = urlsplit(self.path).path, self.headers.get("Authorization", "")
        address = str(self.client_address[0])
        form = parse_qs(content, keep_blank_values=True)
        status, document = self.server.robot.answer(self.command, path, form, authorization, address)
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _respond

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _command(command: str) -> OnReset:
    """Run a command at each reset, told by its environment; it prints `TYPE FINGERPRINT` for each host key."""

    def on_reset(reset: Reset) -> Mapping[str, str]:
        told = {
            "ROBOT_SERVER": str(reset.server_number),
            "ROBOT_RESET": reset.kind,
            "ROBOT_BOOTS": "rescue" if reset.rescue else "disk",
            "ROBOT_AUTHORIZED_KEYS": "\n".join(reset.authorized_keys),
        }
        done = subprocess.run(
            shlex.split(command), env={**os.environ, **told}, stdout=subprocess.PIPE, text=True, check=False
        )
        return dict(line.split()[:2] for line in done.stdout.splitlines() if len(line.split()) > 1)

    return on_reset


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.hetzner.robot_api", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--server", action="append", required=True, metavar="NUMBER=IP", help="a server of the account")
    parser.add_argument(
        "--on-reset", metavar="COMMAND", help="run at each reset; prints the host keys of a rescue system"
    )
    parser.add_argument("--log", type=Path, help="a file that gets each request as a line of JSON")
    arguments = parser.parse_args()
    servers = [Server(int(number), ip) for number, ip in (each.split("=", 1) for each in arguments.server)]
    robot = Robot(servers, on_reset=_command(arguments.on_reset) if arguments.on_reset else None, log=arguments.log)
    with robot.serving():
        for name, value in robot.environment().items():
            print(f"export {name}={shlex.quote(value)}")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
