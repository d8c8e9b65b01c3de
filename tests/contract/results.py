# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks found on each release, and the tables that show it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Category:
    passed: int
    failed: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    release: str
    categories: Mapping[str, Category]
    broken: str = ""  # why the checks did not come to an end, if so

    @property
    def failed(self) -> bool:
        return bool(self.broken) or not self.categories or any(c.failed for c in self.categories.values())


def read(release: str, report: Path) -> Result:
    """A driver's report."""
    entries = json.loads(report.read_text(encoding="utf-8"))
    categories = {
        name: Category(entry["passed"], entry["failed"], tuple(entry["failures"])) for name, entry in entries.items()
    }
    return Result(release, categories)


def columns(results: Iterable[Result]) -> list[str]:
    """The names of all categories, in the order in which they were first seen."""
    return list(dict.fromkeys(name for result in results for name in result.categories))


def cells(result: Result, names: Iterable[str]) -> list[str]:
    """For each category how many checks passed, of how many if not all, or "-" where the release has no such thing."""
    return [_cell(result.categories.get(name)) for name in names]


def _cell(category: Category | None) -> str:
    if category is None:
        return "-"
    return f"{category.passed}" if not category.failed else f"{category.passed}/{category.passed + category.failed}"


def table(results: list[Result]) -> str:
    """For people at a terminal."""
    names = columns(results)
    rows = [["vLLM", *names, ""]]
    for result in results:
        verdict = "broken" if result.broken else "FAILED" if result.failed else "ok"
        rows.append([result.release, *cells(result, names), verdict])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def markdown(results: list[Result]) -> str:
    """For the docs."""
    names = columns(results)
    rows = [["vLLM", *names], ["---", *("---:" for _ in names)]]
    rows += [[result.release, *cells(result, names)] for result in results]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def failures(result: Result) -> str:
    """Every failure that was kept, one a line."""
    lines = [f"{result.release}: {result.broken}"] if result.broken else []
    for name, category in result.categories.items():
        lines += [f"{result.release}: {name}: {failure}" for failure in category.failures]
        if category.failed > len(category.failures):
            lines.append(f"{result.release}: {name}: and {category.failed - len(category.failures)} more")
    return "\n".join(lines)
