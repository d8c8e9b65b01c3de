# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do MCP servers answer at http://HOST:PORT/sse, as vLLM will ask them when it starts?

Run with nothing but Python's standard library, on the node and inside the image: python3 -c SCRIPT HOST:PORT …
Prints what is wrong as a JSON object by HOST:PORT; an empty one when all are up.
"""

from __future__ import annotations

import json
import sys
import urllib.request

TIMEOUT_SECONDS = 5
# What a server that speaks MCP over SSE sends first: where to post messages.
FIRST_EVENT = b"event: endpoint"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def problem(address: str) -> str | None:
    """What is seen instead of an MCP server; None when there is one."""
    request = urllib.request.Request(f"http://{address}/sse", headers={"Accept": "text/event-stream"})
    try:
        with _NO_PROXY.open(request, timeout=TIMEOUT_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            if kind != "text/event-stream":
                return f"/sse answers with {kind}, not with text/event-stream"
            first = answer.readline().strip()
            while first.startswith(b":"):  # a comment
                first = answer.readline().strip()
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)
    if first.replace(b"event:endpoint", FIRST_EVENT) != FIRST_EVENT:
        return f"/sse begins with {first[:80].decode(errors='replace')!r}, not with an endpoint event"
    return None


def main(addresses: list[str]) -> None:
    found = {address: problem(address) for address in addresses}
    print(json.dumps({address: seen for address, seen in found.items() if seen}))


if __name__ == "__main__":
    main(sys.argv[1:])
