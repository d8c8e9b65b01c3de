# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the model hub on loopback: the part of its API that huggingface_hub and our module use.

    python3 model_hub.py FOLDER PORT LOG

Serves one folder under several names, each of which behaves in a way of its own (`_BEHAVIOURS`). Standard library only:
it runs on nodes. What was asked for is written to LOG, one JSON object a line.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "5d7c1b0f0e3a49d6a2b8c4f6e1d3a5b7c9e0f2a4"
GRANTED, KNOWN = "hf_granted", "hf_known"  # tokens: of an account with the licence, and of one without
_REQUEST = re.compile(
    r"(/api/models)?/(?P<repository>[^/]+/[^/]+)/(?P<verb>revision|resolve|tree|auth-check)/?(?P<rest>.*)"
)


@dataclass(frozen=True)
class Behaviour:
    gated: bool = False
    damaged: bool = False  # what arrives is not what the checksums say
    extra_bytes: int = 0  # the list names a file of this size, which is never delivered
    more_weights: int = 0  # a second file of weights, of this many bytes
    bytes_per_second: int = 0


_BEHAVIOURS = {
    "toolserve/open": Behaviour(),
    "toolserve/gated": Behaviour(gated=True),
    "toolserve/damaged": Behaviour(damaged=True),
    "toolserve/huge": Behaviour(extra_bytes=10**15),
    "toolserve/slow": Behaviour(more_weights=40_000_000, bytes_per_second=2_000_000),
}


@dataclass(frozen=True)
class Blob:
    path: str
    content: bytes

    @property
    def large(self) -> bool:
        """Whether the hub keeps it in its large file storage."""
        return self.path.endswith(".safetensors")

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_sha1(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()  # git's name of a file

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_sha1


class Hub(ThreadingHTTPServer):
    def __init__(self, folder: Path, port: int, log: Path) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.log = log
        self.blobs = {file.name: Blob(file.name, file.read_bytes()) for file in sorted(folder.iterdir())}
        # The same weights once more in another format, as many repositories have them.
        self.blobs["pytorch_model.bin"] = Blob("pytorch_model.bin", b"not to be fetched")
        self._more: dict[int, Blob] = {}

    def blobs_of(self, behaviour: Behaviour) -> dict[str, Blob]:
        if not (size := behaviour.more_weights):
            return self.blobs
        if size not in self._more:
            header = json.dumps({"more": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
            content = len(header).to_bytes(8, "little") + header + bytes(size)
            self._more[size] = Blob("more.safetensors", content)
        return self.blobs | {"more.safetensors": self._more[size]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        address = unquote(urlsplit(self.path).path)
        with self.server.log.open("a") as log:
            asked = {"method": self.command, "path": address, "range": self.headers.get("Range")}
            log.write(json.dumps(asked) + "\n")
        matched = _REQUEST.fullmatch(address)
        behaviour = _BEHAVIOURS.get(matched["repository"]) if matched else None
        if matched is None or behaviour is None:
            self.refuse(404 if self.token in (GRANTED, KNOWN) else 401, "RepoNotFound")
            return
        verb, rest = matched["verb"], matched["rest"]
        if self.token and self.token not in (GRANTED, KNOWN):
            self.refuse(401, "")
        elif behaviour.gated and verb in ("resolve", "auth-check") and self.token != GRANTED:
            self.refuse(403 if self.token else 401, "GatedRepo")
        elif verb == "auth-check":
            self.send_json({})
        elif rest.split("/")[0] not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound")
        elif verb == "revision":
            self.send_json(self.listing(behaviour))
        elif verb == "tree":
            self.send_json(list(self.tree(behaviour)))
        elif (blob := self.server.blobs_of(behaviour).get(rest.partition("/")[2])) is None:
            self.refuse(404, "EntryNotFound")
        else:
            self.send_blob(blob, behaviour, with_body)

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def listing(self, behaviour: Behaviour) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for blob in self.server.blobs_of(behaviour).values():
            lfs = {"lfs": {"sha256": blob.sha256, "size": len(blob.content), "pointerSize": 134}} if blob.large else {}
            siblings.append({"rfilename": blob.path, "size": len(blob.content), "blobId": blob.git_sha1, **lfs})
        if behaviour.extra_bytes:
            siblings.append({"rfilename": "more.safetensors", "size": behaviour.extra_bytes, "blobId": "0" * 40})
        return {
            "id": "toolserve/pocket",
            "sha": COMMIT,
            "private": False,
            "gated": "manual" if behaviour.gated else False,
            "tags": [],
            "downloads": 0,
            "siblings": siblings,
        }

    def tree(self, behaviour: Behaviour) -> Iterator[dict[str, Any]]:
        for blob in self.server.blobs_of(behaviour).values():
            lfs = {"lfs": {"oid": blob.sha256, "size": len(blob.content), "pointerSize": 134}} if blob.large else {}
            yield {"type": "file", "path": blob.path, "size": len(blob.content), "oid": blob.git_sha1, **lfs}

    def send_blob(self, blob: Blob, behaviour: Behaviour, with_body: bool) -> None:
        content = blob.content
        if behaviour.damaged and blob.large:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = 0
        if matched := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(matched[1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{blob.etag}"')
        self.send_header("X-Linked-ETag", f'"{blob.etag}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if not with_body:
            return
        step = 65536
        for position in range(start, len(content), step):
            self.wfile.write(content[position : position + step])
            if behaviour.bytes_per_second:
                time.sleep(step / behaviour.bytes_per_second)

    def send_json(self, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        else:
            self.send_header("X-Error-Message", "Invalid credentials in Authorization header")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The log has it."""


if __name__ == "__main__":
    Hub(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])).serve_forever()
