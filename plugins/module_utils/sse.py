# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server-sent events, as OpenAI-compatible servers stream them.

Bytes are cut into lines only at LF (a CR before it is dropped) and decoded line by line. Text that a model
writes may hold U+2028 or U+0085, so ``str.splitlines`` would tear events apart, and a packet may end in the
middle of a character, so nothing is decoded before its line is complete.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 16 * 1024 * 1024


class SseDecoder:
    """Turns packets of any size into the data of the events they complete."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._searched = 0  # how far the pending bytes are known to hold no line end
        self._data: list[str] = []
        self._started = False

    def feed(self, packet: bytes) -> list[str]:
        """Take the next bytes from the wire; return the data of every event that is now complete."""
        self._pending += packet
        events: list[str] = []
        start = 0
        while (end := self._pending.find(b"\n", max(start, self._searched))) >= 0:
            self._line(bytes(self._pending[start:end]), events)
            start = end + 1
        del self._pending[:start]
        self._searched = len(self._pending)
        if self._searched > MAX_EVENT_BYTES:
            raise ValueError(f"an event of the stream is longer than {MAX_EVENT_BYTES} bytes")
        return events

    def close(self) -> list[str]:
        """The stream has ended in good order: a last event may lack its blank line."""
        return self.feed(b"\n\n")

    def _line(self, raw: bytes, events: list[str]) -> None:
        if not self._started:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
            self._started = True
        line = raw.removesuffix(b"\r").decode("utf-8", errors="replace")
        if not line:
            if self._data:
                events.append("\n".join(self._data))
                self._data = []
            return
        field, _colon, value = line.partition(":")  # a comment (keep-alive) has an empty field name
        if field == "data":
            self._data.append(value.removeprefix(" "))
