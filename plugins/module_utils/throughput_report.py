# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A measurement for people: plain text for a terminal, Markdown for everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cause_text
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.markdown_text import escaped
from ansible_collections.toolserve.gpunode.plugins.module_utils.terminal_text import printable, table, wrapped
from ansible_collections.toolserve.gpunode.plugins.module_utils.throttle_reasons import IDLE
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_checks import NOT_MEASURED, SKIP
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_judge import Judgement
from ansible_collections.toolserve.gpunode.plugins.module_utils.throughput_run import Level, Outcome

Row = tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What is worth telling, free of any layout."""

    title: str
    figures: list[Row]
    levels: list[Row]
    causes: list[Cause]
    notes: list[str]
    total: str


def build(outcome: Outcome, judgement: Judgement) -> Report:
    """Choose what to tell."""
    state = outcome.state
    version = f"vLLM {state.version}" if state.version else "server version unknown"
    return Report(
        title=f"Throughput at {state.base_url}: model {outcome.model or 'unknown'}, {version}",
        figures=_figures(outcome, judgement),
        levels=[_level(level) for level in outcome.levels],
        causes=judgement.causes,
        notes=_notes(outcome, judgement),
        total=f"Throughput: {judgement.verdict}. {judgement.basis}",
    )


FIGURES = ("figure", "value", "how it came about")
LEVELS = ("at once", "tokens/s", "each", "first token", "KV cache", "preemptions")


def as_text(report: Report) -> str:
    """At most 100 columns wide, without colours."""
    lines = wrapped(report.title)
    if report.figures:
        lines += ["", *table(FIGURES, *report.figures)]
    if report.levels:
        lines += ["", *table(LEVELS, *report.levels)]
    for cause in report.causes:
        lines += cause_text.terminal(cause.as_dict())
    if report.notes:
        lines += ["", "In detail:", *(line for note in report.notes for line in wrapped(note, "- "))]
    return printable("\n".join([*lines, "", *wrapped(report.total)]))


def as_markdown(report: Report) -> str:
    """The same as Markdown."""
    lines = [f"## {escaped(report.title)}"]
    for headings, rows in ((FIGURES, report.figures), (LEVELS, report.levels)):
        if rows:
            lines.append("")
            every: list[Row] = [headings, ("---",) * len(headings), *rows]
            lines += [f"| {' | '.join(escaped(cell) for cell in row)} |" for row in every]
    for cause in report.causes:
        lines += cause_text.markdown(cause.as_dict())
    if report.notes:
        lines += ["", "In detail:", "", *(f"- {escaped(note)}" for note in report.notes)]
    return printable("\n".join([*lines, "", f"**{escaped(report.total)}**", ""]))


def _figures(outcome: Outcome, judgement: Judgement) -> list[Row]:
    if not outcome.measured:
        return []
    runs = outcome.runs
    speeds = sorted(run.decode_tokens_per_second for run in runs)
    speed = outcome.median(lambda run: run.decode_tokens_per_second) or 0.0
    first = outcome.median(lambda run: run.ttft) or 0.0
    between = outcome.median(lambda run: run.inter_token_latency) or 0.0
    rows: list[Row] = [
        ("decoding", f"{speed:.1f} tokens/s", _spread(speeds)),
        ("first token", _seconds(first), f"after a prompt of {runs[-1].prompt_tokens} tokens"),
        ("token to token", _seconds(between), f"longest pause {_seconds(max(run.longest_gap for run in runs))}"),
    ]
    if (roofline := judgement.roofline) is not None:
        context = outcome.median(lambda run: run.mean_context) or 0.0
        parts = f"{roofline.memory_bandwidth / 1e9:.4g} GB/s by {_size(roofline.weight_bytes)} of weights and "
        parts += f"{_size(roofline.kv_bytes)} of KV cache"
        rows.append(("roofline", f"{roofline.tokens_per_second:.1f} tokens/s", parts))
        rows.append(("efficiency", f"{judgement.efficiency or 0:.0%}", f"at a context of {context:.0f} tokens"))
    return [*rows, *map(_gpu, outcome.gpus_under_load)]


def _gpu(load: Mapping[str, Any]) -> Row:
    """What a GPU did while it decoded, by the medians."""
    powers = _medians(load, ("power_draw_watts", "{:.0f} W"), ("temperature_celsius", "{:.0f} °C"))
    clocks = _medians(load, ("clock_memory_mhz", "memory {:.0f} MHz"), ("clock_sm_mhz", "SM {:.0f} MHz"))
    busy = _medians(load, ("utilization_percent", "{:.0f}% busy"))
    return (f"GPU {load['index']}", ", ".join(powers), ", ".join([*clocks, *busy]))


def _medians(load: Mapping[str, Any], *figures: tuple[str, str]) -> list[str]:
    return [text.format(load[name]["median"]) for name, text in figures if load.get(name)]


def _level(level: Level) -> Row:
    speed = level.tokens_per_second
    if speed is None:
        return (str(level.requests), "failed", "-", "-", "-", "-")
    return (
        str(level.requests),
        f"{speed:.1f}" + (" (not alone)" if level.alone is False else ""),
        "-" if level.each is None else f"{level.each:.1f}",
        "-" if level.ttft is None else _seconds(level.ttft),
        "-" if level.peak_kv_cache_usage is None else f"{level.peak_kv_cache_usage:.0%}",
        "-" if level.preemptions is None else f"{level.preemptions:.0f}",
    )


def _notes(outcome: Outcome, judgement: Judgement) -> list[str]:
    """Doubts that remain because a check was not possible, and what differs from what was asked."""
    skipped = [check for check in judgement.checks if check.verdict == SKIP and check.observed != NOT_MEASURED]
    notes = [f"{check.name}: {check.observed}" for check in skipped]
    if outcome.blocked is not None:
        notes.append(str(outcome.blocked))
    for load in outcome.gpus_under_load:
        reasons = (load["throttle_reasons"] or {}).items()
        held = ", ".join(f"{name} in {times}" for name, times in reasons if name != IDLE)
        if held:
            notes.append(f"GPU {load['index']}, of {load['samples']} looks while it decoded: {held}")
    if outcome.prompt_limit is not None:
        notes.append(
            f"The context has room for a prompt of {outcome.prompt_limit} tokens; "
            f"{outcome.options.prompt_tokens} were wanted."
        )
    return notes


def _spread(speeds: list[float]) -> str:
    return f"median of {len(speeds)} runs, {speeds[0]:.1f} to {speeds[-1]:.1f}" if len(speeds) > 1 else "one run"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def _size(value: float) -> str:
    return f"{value / 1e9:.3g} GB" if value >= 1e8 else f"{value / 1e6:.3g} MB"
