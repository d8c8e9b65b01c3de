# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import sse
from hypothesis import given, settings
from hypothesis import strategies as st


def decoded(stream: bytes, size: int) -> list[str]:
    decoder = sse.SseDecoder()
    events = []
    for start in range(0, len(stream), size):
        events += decoder.feed(stream[start : start + size])
    return events + decoder.close()


STREAM = (
    b"\xef\xbb\xbfdata: first\n\n"
    b": a comment, as a keep-alive\n\n"
    b"\n"
    b"event: message\r\nid: 7\r\ndata: second\r\n\r\n"
    b"data:no space\n\n"
    b"data: two\ndata: lines\n\n"
    b"data\n\n"
    b"retry: 10\n\n" + "data: wörld 🌍 \u2028 \u0085 \x0b end\n\n".encode() + b"data: [DONE]"
)
EVENTS = [
    "first", "second", "no space", "two\nlines", "", "wörld 🌍 \u2028 \u0085 \x0b end", "[DONE]",
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 4096])
def test_events_do_not_depend_on_how_the_bytes_arrive(size: int) -> None:
    assert decoded(STREAM, size) == EVENTS


def test_an_event_is_there_as_soon_as_its_blank_line_is() -> None:
    decoder = sse.SseDecoder()
    assert decoder.feed(b"data: one\n") == []
    assert decoder.feed(b"\ndata: tw") == ["one"]
    assert decoder.feed(b"o\n\n") == ["two"]


@settings(deadline=None)
@given(
    texts=st.lists(st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]), min_size=1)),
    cuts=st.lists(st.integers(1, 20), min_size=1),
)
def test_any_text_survives_any_cut(texts: list[str], cuts: list[int]) -> None:
    stream = b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)
    decoder = sse.SseDecoder()
    events = []
    position = 0
    turn = 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        events += decoder.feed(stream[position : position + size])
        position += size
        turn += 1
    assert events == texts


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    decoder = sse.SseDecoder()
    with pytest.raises(ValueError, match="longer than 1000 bytes"):
        for _time in range(200):
            decoder.feed(b"data: 123")
