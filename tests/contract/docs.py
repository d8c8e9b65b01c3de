# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/vllm-releases.md."""

from __future__ import annotations

import re

from . import results
from .releases import HERE

PAGE = HERE.parents[1] / "docs" / "vllm-releases.md"
_TABLE = re.compile(r"^\| vLLM \|.*?(?=^$|\Z)", re.MULTILINE | re.DOTALL)


def write(found: list[results.Result]) -> None:
    """Put the table of these results in the place of the page's old one."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: results.markdown(found) + "\n", page), encoding="utf-8")


def listed() -> list[str]:
    """The releases that the page's table has."""
    table = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    return [row.split("|")[1].strip() for row in table[0].splitlines()[2:]] if table else []
