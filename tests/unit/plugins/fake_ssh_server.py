# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that shows SSH host keys to ssh-keyscan, and lets nobody in: it has no private keys (RFC 4253, RFC 8731)."""

from __future__ import annotations

import base64
import os
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_KEXINIT, _ECDH_INIT, _ECDH_REPLY = 20, 30, 31


def host_key(folder: Path, kind: str = "ed25519") -> str:
    """A new public key as OpenSSH writes it, without a comment."""
    path = folder / f"{len(list(folder.iterdir()))}_{kind}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


class FakeSshServer:
    """``keys`` are the public keys that it shows, and may be replaced; without any it closes connections."""

    def __init__(self, *keys: str) -> None:
        self.keys: Sequence[str] = keys
        self.port = 0

    @contextmanager
    def serving(self) -> Iterator[FakeSshServer]:
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if fake.keys:
                    _show(self, {key.split()[0]: base64.b64decode(key.split()[1]) for key in fake.keys})

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = int(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def _show(connection: socketserver.StreamRequestHandler, keys: dict[str, bytes]) -> None:
    connection.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.rfile.readline()
    algorithms = [
        "curve25519-sha256",
        ",".join(keys),
        *["aes128-ctr"] * 2,
        *["hmac-sha2-256"] * 2,
        *["none"] * 2,
        "",
        "",
    ]
    offer = b"".join(_string(names.encode()) for names in algorithms)
    _send(connection, bytes([_KEXINIT]) + os.urandom(16) + offer + bytes(5))
    theirs = _receive(connection, _KEXINIT)[17:]
    _exchanges, theirs = _split(theirs)
    wanted = _split(theirs)[0].decode().split(",")
    chosen = next((kind for kind in wanted if kind in keys), None)
    if chosen is None:
        return
    _receive(connection, _ECDH_INIT)
    signature = _string(chosen.encode()) + _string(bytes(64))
    reply = _string(keys[chosen]) + _string(b"\x09" + bytes(31)) + _string(signature)
    _send(connection, bytes([_ECDH_REPLY]) + reply)
    connection.rfile.read()


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _split(data: bytes) -> tuple[bytes, bytes]:
    length = int(struct.unpack(">I", data[:4])[0])
    return data[4 : 4 + length], data[4 + length :]


def _send(connection: socketserver.StreamRequestHandler, payload: bytes) -> None:
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    connection.wfile.write(struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding))


def _receive(connection: socketserver.StreamRequestHandler, kind: int) -> bytes:
    while True:
        length, padding = struct.unpack(">IB", connection.rfile.read(5))
        payload = connection.rfile.read(length - 1)[: length - 1 - padding]
        if payload[0] == kind:
            return payload
