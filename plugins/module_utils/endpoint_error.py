# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between a client and an endpoint, said so that a person can act on it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl

from ansible_collections.toolserve.gpunode.plugins.module_utils.chat_reply import error_in

EXCERPT_CHARACTERS = 600


class EndpointError(Exception):
    """One kind for each thing that a caller may want to tell apart.

    ``kind``: config (the options are unusable), unreachable, timeout, tls, http (an error status), protocol (an
    answer that breaks the protocol). ``seen`` is short enough for a progress line; ``str(error)`` says where, what
    was seen, what it means and what to do.
    """

    def __init__(
        self,
        kind: str,
        seen: str,
        means: str,
        fix: str,
        *,
        where: str = "",
        status: int | None = None,
        body: str = "",
    ) -> None:
        self.kind = kind
        self.seen = seen
        self.means = means
        self.fix = fix
        self.where = where
        self.status = status
        self.body = body[:EXCERPT_CHARACTERS]
        super().__init__(f"{where + ': ' if where else ''}{seen}. {means} {fix}")

    def as_dict(self) -> dict[str, str | int | None]:
        """For evidence and return values."""
        return {"kind": self.kind, "status": self.status, "seen": self.seen, "message": str(self), "body": self.body}


# status -> (what it means, what to do)
_STATUS_ADVICE = {
    401: (
        "The server wants an API key, and this one is missing or wrong.",
        "Give the key that the server was started with as api_key.",
    ),
    403: ("The server knows the caller and refuses the request.", "Check the key's rights, or the proxy in between."),
    404: (
        "The server answers, but has nothing at this address, or not the model that was asked for.",
        "Check base_url and the served model name.",
    ),
    429: ("The server or a proxy limits requests.", "Wait, or raise the limit for this check."),
}


def http_error(where: str, status: int, body: str) -> EndpointError:
    """An answer with an error status."""
    try:
        said = error_in(json.loads(body))
    except ValueError:
        said = None
    if status in _STATUS_ADVICE:
        means, fix = _STATUS_ADVICE[status]
    elif 300 <= status < 400:
        means, fix = "The address redirects, and redirects are not followed.", "Give the final address as base_url."
    elif status >= 500:
        means, fix = "The server, or a proxy before it, failed at this request.", "Look into the server's log."
    else:
        means, fix = "The server refuses this request.", "The message says why; compare it with the server's arguments."
    seen = f"HTTP {status}"
    if said:
        seen += f": {' '.join(said[0].split())[:300].rstrip('.')}"
    return EndpointError("http", seen, means, fix, where=where, status=status, body=body)


def stream_error(where: str, message: str, status: int | None, body: str) -> EndpointError:
    """The server sent an error object in the middle of a stream."""
    return EndpointError(
        "protocol",
        f"an error inside the stream: {' '.join(message.split())[:300].rstrip('.')}",
        "The server had begun to answer and failed on the way.",
        "Look into the server's log for this moment.",
        where=where,
        status=status,
        body=body,
    )


def no_model(where: str) -> EndpointError:
    """There is nobody to ask."""
    return EndpointError(
        "protocol",
        "the server lists no model",
        "Without a name there is nothing to ask.",
        "Name the model as served with the option model, or look into the server's log.",
        where=where,
    )


def translated(error: Exception, where: str, seconds: float) -> EndpointError:
    """The exception of the standard library as ours."""
    kind, seen, means, fix = _translation(error, seconds)
    return EndpointError(kind, seen, means, fix, where=where)


def _translation(error: Exception, seconds: float) -> tuple[str, str, str, str]:
    if isinstance(error, TimeoutError):
        return (
            "timeout",
            f"no complete answer within {seconds:.0f} s",
            "The server is busy or stuck, generates too slowly, or a firewall drops the packets.",
            "Look at the server's load and log; raise the timeout if the model is slow.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "tls",
            f"the server's certificate is not trusted: {error.verify_message}",
            "It is signed by an authority this machine does not know, has expired, or is for another name.",
            "Give the authority's certificate as ca_path, or use the name that is in the certificate.",
        )
    if isinstance(error, ssl.SSLError):
        return (
            "tls",
            f"TLS does not come about: {error.reason or error}",
            "The other side may speak plain HTTP on this port, or other TLS versions.",
            "Check http:// against https:// and the port in base_url.",
        )
    if isinstance(error, ConnectionRefusedError):
        return (
            "unreachable",
            "connection refused",
            "Nothing listens there: the server is not up yet or has ended, or base_url names another port.",
            "Check that the server runs, its log, and the address in base_url.",
        )
    if isinstance(error, socket.gaierror):
        return (
            "unreachable",
            f"the host name cannot be resolved ({error.strerror})",
            "The name in base_url is unknown on the machine that runs the check.",
            "Check the name, or use an address.",
        )
    if isinstance(error, ConnectionError):
        return (
            "unreachable",
            "connection closed without an answer",
            "The server is just starting behind a port proxy such as Docker's, or it ended while it answered.",
            "Check the server's log.",
        )
    if isinstance(error, http.client.IncompleteRead):
        return (
            "protocol",
            "the connection was cut in the middle of the answer",
            "The server ended, or something in between cut the connection.",
            "Look into the server's log for this moment; raise the read timeout of a proxy in between.",
        )
    if isinstance(error, OSError):
        return ("unreachable", error.strerror or str(error), "The network does not lead there.", "Check base_url.")
    return (
        "protocol",
        str(error) or type(error).__name__,
        "The answer is not what an OpenAI-compatible server sends.",
        "Check that base_url leads to the model server, and look into its log.",
    )
