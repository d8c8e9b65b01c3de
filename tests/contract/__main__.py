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

from . import checks, interpreter, releases, results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--release", action="append", default=[], metavar="X", help="only this one; may be repeated")
    parser.add_argument("--sample", action="store_true", help="only the few releases that make test runs")
    parser.add_argument("--plugin", type=Path, default=checks.PLUGIN, help="another parser plugin named qwen_tools")
    parser.add_argument(
        "--run",
        nargs=argparse.REMAINDER,
        metavar="",
        help="RELEASE SCRIPT [ARGUMENTS …]: run a script with that release's import path instead",
    )
    options = parser.parse_args()
    try:
        if options.run is not None:
            if len(options.run) < 2:
                parser.error("--run needs a release and a script")
            return run_script(*options.run)
        return run_checks(releases.chosen(options.release, sample=options.sample), options.plugin)
    except BenchError as error:
        return fail(error)
    except KeyboardInterrupt:
        say("\nInterrupted. What is finished is kept; the same command goes on from there.")
        return 130


def run_checks(chosen: list[releases.Release], plugin: Path) -> int:
    interpreter.prepare(chosen)
    with step(f"Checking {plugin.name} on {len(chosen)} releases of vLLM"):
        found = list(checks.run(chosen, plugin))
    say("\n" + results.table(found))
    failed = [result for result in found if result.failed]
    for result in failed:
        say("\n" + results.failures(result))
    return 1 if failed else 0


def run_script(name: str, script: str, *arguments: str) -> int:
    chosen = releases.chosen([name], sample=False)
    interpreter.prepare(chosen)
    command = interpreter.command(Path(script), arguments)
    return subprocess.call(command, env=interpreter.environment(chosen[0]))


if __name__ == "__main__":
    sys.exit(main())
