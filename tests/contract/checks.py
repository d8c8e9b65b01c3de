# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the checks of driver/ on many releases."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.console import say

from . import command_lines, interpreter, results
from .releases import HERE, Release

ROOT = HERE.parents[1]
PLUGIN = ROOT / "roles" / "vllm" / "files" / "tool_parsers" / "qwen_tools.py"
_CASES = ROOT / "tests" / "unit" / "parser" / "parser_cases.jsonl"
_AT_ONCE = 2
_LIMIT_SECONDS = 900  # a check that hangs must not hold up everything


def run(chosen: list[Release], plugin: Path) -> Iterator[results.Result]:
    """The results in the order of the releases, as they come."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda release: _run_one(release, plugin), chosen)


def _run_one(release: Release, plugin: Path) -> results.Result:
    start = time.monotonic()
    result = _drive(release, plugin, {})
    if release.enforces_calls and not result.broken:
        second = _drive(release, plugin, {"VLLM_ENFORCE_STRICT_TOOL_CALLING": "0"}, "--not-enforced")
        result = results.Result(release.name, {**result.categories, **second.categories}, second.broken)
    if not result.broken:
        result = results.Result(release.name, {**result.categories, **command_lines.check(release)})
    say(f"    vLLM {release.name}: {'FAILED' if result.failed else 'ok'} ({time.monotonic() - start:.0f} s)")
    return result


def _drive(release: Release, plugin: Path, variables: dict[str, str], *flags: str) -> results.Result:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = ["--plugin", str(plugin), "--cases", str(_CASES), "--report", str(report), *flags]
        try:
            process = subprocess.run(
                interpreter.command(HERE / "driver" / "run.py", arguments),
                env={**interpreter.environment(release), **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return results.Result(release.name, {}, f"no end after {_LIMIT_SECONDS} s")
        if process.returncode != 0 or not report.exists():
            return results.Result(release.name, {}, f"exit code {process.returncode}\n{process.stdout[-4000:]}")
        return results.read(release.name, report)
