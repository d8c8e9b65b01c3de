# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of a container in which vLLM runs: its lines in order, and how far the start has come.

What the server has chosen is read in server_log_facts.py, why it died in rules_startup.py. The wording of the marks
was read in the sources of vLLM 0.9.2 to 0.33.0, and is anchored on what these releases have in common.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PULLING = "pulling the image"
STARTING = "starting"
LOADING = "loading weights"
COMPILING = "compiling"
CAPTURING = "capturing CUDA graphs"
WARMING = "warming up"
READY = "ready"

# What docker logs --timestamps writes, and then vLLM: "(EngineCore pid=32) INFO 11-21 11:57:06 [core.py:133] ".
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")
_PREFIX = re.compile(
    r"(?:\([^()]*\bpid=\d+\) )*(?:(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b:? *(?:\d\d-\d\d [\d:]+ \[[^\]]*\] ?)?)?"
)

_MARKS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (phase, re.compile(pattern))
    for phase, pattern in (
        (PULLING, r"Unable to find image '.*' locally|: Pulling from |: Pulling fs layer|: Pull complete"),
        (READY, r"Application startup complete|Uvicorn running on"),
        (STARTING, r"vLLM API server version|version \d+\.\d+\.\S+$|Initializing a V\d LLM engine"),
        (
            COMPILING,
            r"vLLM's torch\.compile$|Dynamo bytecode transform time|Compiling a graph for|Warming up model for the c",
        ),
        (CAPTURING, r"Capturing (?:the model for )?CUDA ?graph|Capturing cudagraphs"),
        (
            WARMING,
            r"Loading weights took|Model loading took|torch\.compile t(?:akes|ook)|KV cache (?:size|memory): |"
            r"Graph capturing finished|Warming up done|init engine \(|Starting vLLM (?:API )?server|"
            r"Waiting for application startup",
        ),
        (LOADING, r"Starting to load model|Loading \w+ checkpoint shards|Loading weights|downloading weights"),
    )
)
_PERCENT = re.compile(r"(?:checkpoint shards|CUDA graphs?\b[^:]*): +(\d{1,3})%")
_BANNER = re.compile(r"vLLM API server version|[█▀▄] +version \d+\.\d+\.\S+$")
_POOL = re.compile(r"KV cache size: ")
# Docker passes a progress bar on only when its line ends, so that the beginning of a capture has to be inferred.
_WILL_CAPTURE = re.compile(r"Initializing a V\d LLM engine (?=.*\bdevice_config=cuda\b)(?=.*\benforce_eager=False\b)")


@dataclass(frozen=True)
class LogLine:
    """``at``: seconds since the epoch, None without a timestamp; ``level``: DEBUG … CRITICAL, empty if not logged."""

    text: str
    message: str
    level: str = ""
    at: float | None = None


@dataclass(frozen=True)
class Progress:
    """How far the last start in a log has come. ``seconds``: how long each phase took, the last one so far."""

    phase: str = STARTING
    percent: int | None = None
    seconds: tuple[tuple[str, float], ...] = ()

    def describe(self) -> str:
        """For a progress line."""
        return self.phase if self.percent is None else f"{self.phase}, {self.percent} %"


def read_lines(*streams: str) -> list[LogLine]:
    """The lines of a log, in the order of their timestamps where Docker gives its two streams apart."""
    lines = [line for stream in streams for line in _stream(stream)]
    # A line without a timestamp of its own keeps its place behind the one before it.
    return sorted(lines, key=lambda line: line.at or 0.0) if all(line.at is not None for line in lines) else lines


def progress(lines: Sequence[LogLine], started: float | None = None) -> Progress:
    """The phase of the last start in the log; several starts are there when Docker has restarted the container.

    ``started``: when the container was started, in seconds since the epoch; lines before that are passed over.
    """
    phase, percent, will_capture = STARTING, None, False
    seconds: dict[str, float] = {}
    before = started
    for line in lines:
        if started is not None and line.at is not None and line.at < started:
            continue
        if before is not None and line.at is not None:
            seconds[phase] = seconds.get(phase, 0.0) + line.at - before
        before = line.at if line.at is not None else before
        if _BANNER.search(line.message):  # a start begins here
            seconds = {STARTING: seconds.get(STARTING, 0.0)} if phase == STARTING else {}
            phase, percent, will_capture = STARTING, None, False
        if _WILL_CAPTURE.match(line.message):
            will_capture = True
        entered = _entered(line.message)
        if entered is None:
            continue
        if will_capture and _POOL.search(line.message):
            entered = CAPTURING
        if entered != phase:
            percent = None
        phase = entered
        if found := _PERCENT.search(line.message):
            percent = int(found[1])
    return Progress(phase, percent, tuple((name, round(spent, 1)) for name, spent in seconds.items() if name != READY))


def _entered(message: str) -> str | None:
    return next((phase for phase, pattern in _MARKS if pattern.search(message)), None)


def _stream(stream: str) -> Iterable[LogLine]:
    at: float | None = None
    # Progress bars end their lines with CR.
    for raw in stream.replace("\r", "\n").split("\n"):
        text = raw
        if stamp := _TIMESTAMP.match(raw):
            at, text = _seconds(stamp), raw[stamp.end() :]
        if not text.strip():
            continue
        prefix = _PREFIX.match(text)
        message, level = (text[prefix.end() :], prefix[1] or "") if prefix else (text, "")
        yield LogLine(text.rstrip(), message.rstrip(), level, at)


def seconds_since_epoch(timestamp: str) -> float | None:
    """A point in time as Docker writes it; None for anything else, and for the year 1, which means never."""
    stamp = _TIMESTAMP.match(timestamp)
    return None if stamp is None or stamp[1].startswith("0001-") else _seconds(stamp)


def _seconds(stamp: re.Match[str]) -> float:
    # Python 3.10 reads neither nanoseconds nor Z.
    zone = "+00:00" if stamp[3] == "Z" else stamp[3]
    whole = datetime.datetime.fromisoformat(stamp[1] + zone).timestamp()
    return whole + float(f"0.{stamp[2] or 0}")
