# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad way to a good server: passes everything on, and changes requests or streams as it is told."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Request = dict[str, Any]
Lines = Iterable[bytes]
# They concern one connection only; an answer ends where its connection does.
_HOP_BY_HOP = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})


def unchanged(what: Any) -> Any:
    """The good way."""
    return what


def cut_after(events: int) -> Callable[[Lines], Lines]:
    """Break a stream off after so many events."""
    return lambda lines: itertools.islice(lines, 2 * events)  # each has its line and an empty one


def slowed_by(seconds: float) -> Callable[[Lines], Lines]:
    """Hold each event of a stream back, as long as that."""

    def slowed(lines: Lines) -> Iterator[bytes]:
        for line in lines:
            if line.startswith(b"data:"):
                time.sleep(seconds)
            yield line

    return slowed


@contextmanager
def before(
    url: str, *, request: Callable[[Request], Request] = unchanged, stream: Callable[[Lines], Lines] = unchanged
) -> Iterator[str]:
    """The address of a proxy before the API at this address, until the context is left.

    :param request: gives the body of each POST as the server shall get it.
    :param stream: gives the lines of each stream of events as the client shall get them.
    """
    host = urlsplit(url).netloc

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on(None)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._pass_on(json.dumps(request(body)).encode())

        def _pass_on(self, body: bytes | None) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            with closing(http.client.HTTPConnection(host)) as server:
                server.request(self.command, self.path, body, headers)
                answer = server.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.end_headers()
                is_stream = answer.headers.get_content_type() == "text/event-stream"
                for line in stream(answer) if is_stream else answer:
                    self.wfile.write(line)
                    self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """The tests tell what they see."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}/v1"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
