# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the contract tests."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.bench.console import BenchError, fail, say, step

from . import checks, command_lines, docs, interpreter, options, releases, results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--release", action="append", default=[], metavar="X", help="only this one; may be repeated")
    parser.add_argument("--sample", action="store_true", help="only the few releases that make test runs")
    parser.add_argument("--plugin", type=Path, default=checks.PLUGIN, help="another parser plugin named qwen_tools")
    parser.add_argument("--write-options", action="store_true", help=f"only write the table of {options.MODULE.name}")
    parser.add_argument("--write-docs", action="store_true", help=f"check all and write the table of {docs.PAGE.name}")
    parser.add_argument(
        "--run",
        nargs=argparse.REMAINDER,
        metavar="",
        help="RELEASE SCRIPT [ARGUMENTS …]: run a script with that release's import path instead",
    )
    chosen = parser.parse_args()
    try:
        if chosen.run is not None:
            if len(chosen.run) < 2:
                parser.error("--run needs a release and a script")
            return run_script(*chosen.run)
        if chosen.write_options:
            return write_options()
        if chosen.write_docs and (chosen.release or chosen.sample):
            parser.error("--write-docs is about all releases")
        found = run_checks(releases.chosen(chosen.release, sample=chosen.sample), chosen.plugin)
        if any(result.failed for result in found):
            return 1
        if chosen.write_docs:
            docs.write(found)
        return 0
    except BenchError as error:
        return fail(error)
    except KeyboardInterrupt:
        say("\nInterrupted. What is finished is kept; the same command goes on from there.")
        return 130


def run_checks(chosen: list[releases.Release], plugin: Path) -> list[results.Result]:
    """Run the checks and show what they found."""
    interpreter.prepare(chosen)
    with step(f"Checking {plugin.name} on {len(chosen)} releases of vLLM"):
        found = list(checks.run(chosen, plugin))
    say("\n" + results.table(found))
    for result in found:
        if result.failed:
            say("\n" + results.failures(result))
    return found


def write_options() -> int:
    """Read the options of every release and write their table."""
    every = releases.chosen([], sample=False)
    interpreter.prepare(every)
    with step(f"Reading the options of {len(every)} releases"):
        options.write({release.name: command_lines.ask(release, {})["options"] for release in every})
    return 0


def run_script(name: str, script: str, *arguments: str) -> int:
    chosen = releases.chosen([name], sample=False)
    interpreter.prepare(chosen)
    command = interpreter.command(Path(script), arguments)
    return subprocess.call(command, env=interpreter.environment(chosen[0]))


if __name__ == "__main__":
    sys.exit(main())
