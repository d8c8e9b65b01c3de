# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures in the text format of Prometheus, as a server gives them at /metrics.

Only what single figures need: a histogram is not put together, its parts are samples like any other. Lines that are
no samples are passed over, so that a page of something else simply holds no figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Sample:
    """One line: a name, the labels that tell it from others of that name, and its value."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Metrics:
    """One reading of /metrics. Where releases call the same figure differently, give all its names, newest first."""

    def __init__(self, samples: Iterator[Sample]) -> None:
        self._samples: dict[str, list[Sample]] = {}
        for sample in samples:
            self._samples.setdefault(sample.name, []).append(sample)

    def __bool__(self) -> bool:
        return bool(self._samples)

    def samples(self, *names: str) -> list[Sample]:
        """All lines of the first of these names that is there; counters are found with and without ``_total``."""
        for name in names:
            for spelling in (name, f"{name}_total"):
                if found := self._samples.get(spelling):
                    return found
        return []

    def total(self, *names: str) -> float | None:
        """The sum over all label sets, such as the engines of one server; None when the figure is not there."""
        found = self.samples(*names)
        return sum(sample.value for sample in found) if found else None

    def highest(self, *names: str) -> float | None:
        """The largest value over all label sets; None when the figure is not there."""
        return max((sample.value for sample in self.samples(*names)), default=None)

    def labels(self, *names: str) -> Mapping[str, str]:
        """The labels of the first line: how ``…_info`` figures carry text. Empty when the figure is not there."""
        found = self.samples(*names)
        return found[0].labels if found else {}


def parse(text: str) -> Metrics:
    """Read a whole page."""
    # Only LF ends a line: str.splitlines would cut label values that hold other separators.
    lines = (line.strip() for line in text.split("\n"))
    return Metrics(sample for line in lines if (sample := _sample(line)) is not None)


def _sample(line: str) -> Sample | None:
    head = _NAME.match(line)  # a comment begins with #, which no name does
    if head is None:
        return None
    end, labels = head.end(), {}
    while end < len(line) and line[end] in " \t":
        end += 1
    if line[end : end + 1] == "{":
        end += 1
        while (label := _LABEL.match(line, end)) is not None:
            labels[label[1]] = _unescaped(label[2])
            end = label.end()
        rest = line[end:].lstrip()
        if not rest.startswith("}"):
            return None
        rest = rest[1:]
    else:
        rest = line[end:]
    fields = rest.split()
    try:  # a timestamp may follow
        return Sample(head[0], float(fields[0]), labels)
    except (IndexError, ValueError):
        return None


def _unescaped(value: str) -> str:
    r"""``\\``, ``\"`` and ``\n`` are the escapes of the format."""
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], value)
