# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Counts checks and keeps what failed."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from client import Answer, Choice, Fault

MAX_FAILURES = 30  # kept of each category; the count goes on


@dataclass
class Category:
    passed: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass
class Expected:
    """What a client must have read of one choice; leading and trailing white space of the content is free."""

    content: str
    calls: list[tuple[str, Any]]
    finish_reasons: tuple[str, ...] = ()  # empty: it is not looked at
    # A call that breaks or is cut off after its arguments began: the name, and the client has no more than a beginning.
    unfinished: bool = False
    reasoning: str = ""


class Report:
    def __init__(self) -> None:
        self.categories: dict[str, Category] = {}

    def check(self, category: str, label: str, check: Callable[..., str | None], *arguments: Any) -> None:
        """Run one check: it returns what is wrong, or None. Raising is a fault too."""
        counts = self.categories.setdefault(category, Category())
        try:
            fault = check(*arguments)
        except Fault as error:
            fault = str(error)
        except Exception as error:  # whatever ends a stream in a server is a failed check here
            where = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        if fault is None:
            counts.passed += 1
            return
        counts.failed += 1
        if len(counts.failures) < MAX_FAILURES:
            counts.failures.append(f"{label}: {fault}")

    def add(self, name: str, found: Category) -> None:
        counts = self.categories.setdefault(name, Category())
        counts.passed += found.passed
        counts.failed += found.failed
        counts.failures += found.failures


def difference(choice: Choice, expected: Expected) -> str | None:
    calls = [(call.name, call.parsed()) for call in choice.calls]
    complete = [call for call in calls if call[1] is not None]
    unfinished = len(calls) > len(complete)
    if complete != expected.calls:
        return f"calls {calls!r}, not {expected.calls!r}"
    if unfinished and not expected.unfinished:
        return f"an unfinished call among {choice.calls!r}"
    content, wanted = choice.content.strip(), expected.content.strip()
    if content != wanted and not (unfinished and len(content) < len(wanted)):
        return f"content {choice.content!r}, not {expected.content!r}"
    if choice.reasoning.strip() != expected.reasoning.strip():
        return f"reasoning {choice.reasoning!r}, not {expected.reasoning!r}"
    reasons = expected.finish_reasons
    if unfinished and reasons == ("stop",):
        reasons = ("tool_calls",)
    if reasons and choice.finish_reason not in reasons:
        return f"finish_reason {choice.finish_reason!r}, not {' or '.join(map(repr, reasons))}"
    return None


def differences(answer: Answer, *expected: Expected) -> str | None:
    if len(answer.choices) != len(expected):
        return f"{len(answer.choices)} choices, not {len(expected)}"
    for index, (choice, wanted) in enumerate(zip(answer.choices, expected, strict=True)):
        fault = difference(choice, wanted)
        if fault:
            return f"choice {index}: {fault}" if len(expected) > 1 else fault
    return None
