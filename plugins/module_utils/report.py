# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a check for people: plain text for a terminal, Markdown for everywhere else.

Both are made from one :class:`Report`, so that they cannot say different things.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ansible_collections.toolserve.gpunode.plugins.module_utils import cause_text
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.markdown_text import escaped
from ansible_collections.toolserve.gpunode.plugins.module_utils.terminal_text import WIDTH, printable, table, wrapped
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_asking import Answer
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_judge import PLAIN, STREAMED
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Outcome, ProbeResult

HEADINGS = ("probe", "what it checks", "plain", "streamed", "verdict")
_SHOWN_CONTENT = 400
_VERDICTS = (
    ("pass", "passed"),
    ("warn", "passed with a warning"),
    ("fail", "failed"),
    ("inconclusive", "inconclusive"),
    ("skip", "skipped"),
)


@dataclass(frozen=True)
class Report:
    """What is worth telling, free of any layout."""

    title: str
    rows: list[tuple[str, ...]]
    exhibit_title: str
    exhibit: str
    causes: list[Cause]
    notes: list[str]
    total: str


def build(outcome: Outcome, causes: list[Cause]) -> Report:
    """Choose what to tell."""
    state = outcome.state
    version = f"vLLM {state.version}" if state.version else "server version unknown"
    exhibit_title, exhibit = _exhibit(outcome)
    return Report(
        title=f"Tool calls at {state.base_url}: model {outcome.model or 'unknown'}, {version}",
        rows=[_row(result) for result in outcome.results],
        exhibit_title=exhibit_title,
        exhibit=exhibit,
        causes=causes,
        notes=_notes(outcome),
        total=_total(outcome),
    )


def as_text(report: Report) -> str:
    """At most 100 columns wide, without colours."""
    lines = [*wrapped(report.title), ""]
    lines += table(HEADINGS, *report.rows)
    if report.exhibit:
        lines += ["", f"{report.exhibit_title}:"]
        for line in report.exhibit.split("\n"):
            lines += wrapped(line, "  ") if len(line) > WIDTH - 2 else [f"  {line}"]
    for cause in report.causes:
        lines += cause_text.terminal(cause.as_dict())
    if report.notes:
        lines += ["", "In detail:", *(line for note in report.notes for line in wrapped(note, "- "))]
    return printable("\n".join([*lines, "", report.total]))


def as_markdown(report: Report) -> str:
    """The same as Markdown."""
    lines = [f"## {escaped(report.title)}", ""]
    for row in (HEADINGS, ("---",) * len(HEADINGS), *report.rows):
        lines.append(f"| {' | '.join(escaped(cell) for cell in row)} |")
    if report.exhibit:
        fence = "`" * 4  # what a model left in its text may hold three
        lines += ["", f"{escaped(report.exhibit_title)}:", "", fence, report.exhibit, fence]
    for cause in report.causes:
        lines += cause_text.markdown(cause.as_dict())
    if report.notes:
        lines += ["", "In detail:", "", *(f"- {escaped(note)}" for note in report.notes)]
    return printable("\n".join([*lines, "", f"**{report.total}**", ""]))


def _row(result: ProbeResult) -> tuple[str, ...]:
    verdict = result.verdict
    if result.tries > 1:
        verdict += f", try {result.tries}"
    plain = [answer for answer in result.answers.values() if answer.mode != STREAMED]
    streamed = [answer for answer in result.answers.values() if answer.mode == STREAMED]
    return (result.probe.id, result.probe.title, _cell(plain), _cell(streamed), verdict)


def _cell(answers: list[Answer]) -> str:
    """The first thing that went wrong; when all is well, how long the slowest answer took."""
    for answer in answers:
        if answer.error is not None:
            return f"HTTP {answer.error.status}" if answer.error.kind == "http" else answer.error.kind
        if answer.findings:
            return answer.findings[0].name
    seconds = [answer.reply.seconds for answer in answers if answer.reply is not None]
    if seconds:
        return f"ok {max(seconds):.2f} s"
    return "ok" if answers else "-"


def _exhibit(outcome: Outcome) -> tuple[str, str]:
    """What was left in text; where nothing was, the first call, streamed if possible, for that is how agents get it."""
    for result in outcome.results:
        for name, answer in result.answers.items():
            leaks = [finding for finding in answer.findings if finding.name == "MarkupLeak" and not finding.warning]
            if answer.reply is not None and leaks:
                return f"What was left in content ({result.probe.id}, {name})", answer.reply.content[:_SHOWN_CONTENT]
    for result in outcome.results:
        if result.verdict not in ("pass", "warn"):
            continue
        for mode in (STREAMED, PLAIN):
            reply = result.answers[mode].reply if mode in result.answers else None
            if reply is not None and reply.tool_calls:
                call = reply.tool_calls[0].as_dict()
                return f"A tool call as it arrived ({result.probe.id}, {mode})", json.dumps(call, indent=2)
    return "", ""


def _notes(outcome: Outcome) -> list[str]:
    """What the table has no room for; the same thing seen in several probes is told once."""
    where: dict[str, list[str]] = {}
    for result in outcome.results:
        if result.verdict in ("skip", "inconclusive"):
            where.setdefault(result.observed, []).append(result.probe.id)
        modes: dict[str, list[str]] = {}
        for finding in result.findings:
            modes.setdefault(f"{finding.name}: {finding.message}", []).append(finding.mode)
        for message, seen_in in modes.items():
            only = f" ({seen_in[0]})" if len(seen_in) == 1 and seen_in[0] else ""
            where.setdefault(message, []).append(f"{result.probe.id}{only}")
    return [f"{', '.join(probes)}: {message}" for message, probes in where.items()]


def _total(outcome: Outcome) -> str:
    counts = outcome.counts
    parts = [f"{counts[verdict]} {word}" for verdict, word in _VERDICTS if counts[verdict]]
    number = len(outcome.results)
    return f"{number} probe{'' if number == 1 else 's'}: {', '.join(parts)}"
