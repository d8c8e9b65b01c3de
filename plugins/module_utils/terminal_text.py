# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for a terminal of 100 columns, without colours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 100


def wrapped(text: str, label: str = "") -> list[str]:
    """Lines of at most 100 columns; those after the first are indented as far as the label reaches."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False
    ) or [label.rstrip()]


def table(*rows: Sequence[str]) -> list[str]:
    """Columns as wide as their widest cell, the first row underlined."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    underlined = (rows[0], ["-" * width for width in widths], *rows[1:])
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in underlined
    ]


def printable(text: str) -> str:
    """Without control characters: what a model or a server writes must not steer the terminal."""
    return "".join(one if one == "\n" or one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
