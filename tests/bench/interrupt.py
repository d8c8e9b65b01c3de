# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make interrupt-node`: kill the play at random moments on a node with leftovers; the next run has to end converged.

Every round starts from the same node, kept as an image. The play's processes get SIGKILL; with --power-cut the node
loses everything that runs on it in the same moment. Then the play is run until nothing more changes.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from .ansible import REPOSITORY
from .console import BenchError, fail, say, step
from .prepare import STATE

_INVENTORY = "molecule/node/inventory/interrupt.yml"
_NODE = "gpunode-interrupt"
_IMAGE = "toolserve-bench/interrupt"
_PLAY = "molecule/node/gpu_nodes.yml"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.interrupt", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="repeats the moments of an earlier run")
    parser.add_argument("--power-cut", action="store_true", help="the node loses its power too")
    arguments = parser.parse_args()
    try:
        return _run(arguments.times, arguments.seed, arguments.power_cut)
    except BenchError as error:
        return fail(error)
    finally:
        _playbook("tests/bench/destroy_nodes.yml")
        subprocess.run(["docker", "rmi", "--force", _IMAGE], capture_output=True, check=False)


def _run(times: int, seed: int | None, power_cut: bool) -> int:
    seed = random.randrange(10**6) if seed is None else seed
    moments = random.Random(seed)
    with step("A node with leftovers, as an image"):
        for playbook in ("destroy_nodes.yml", "create_nodes.yml"):
            _must(_playbook(f"tests/bench/{playbook}"), playbook)
        _must(_playbook("molecule/node/prepare.yml"), "prepare.yml")
        subprocess.run(["docker", "commit", _NODE, _IMAGE], check=True, capture_output=True)
    with step("The play without an interruption"):
        start = time.monotonic()
        _converge("uninterrupted")
        seconds = time.monotonic() - start
    say(f"    {seconds:.0f} s; seed {seed}\n\n round  killed after  in task{'':43}runs  outcome")
    failed = 0
    for number in range(1, times + 1):
        _fresh_node()
        after = moments.uniform(1, seconds)
        task = _killed(after, power_cut)
        try:
            runs, outcome = _converge(f"round-{number}"), "converged"
        except BenchError as error:
            runs, outcome, failed = 0, str(error).splitlines()[0], failed + 1
        say(f"{number:6d}  {after:9.1f} s  {task[:48]:48}  {runs or '-':>4}  {outcome}")
    say(f"\n{times - failed} of {times} ended converged (seed {seed})")
    return 1 if failed else 0


def _fresh_node() -> None:
    _must(_playbook("tests/bench/destroy_nodes.yml"), "destroy_nodes.yml")
    _must(_playbook("tests/bench/create_nodes.yml", "-e", f"bench_image={_IMAGE}"), "create_nodes.yml")


def _killed(after: float, power_cut: bool) -> str:
    """Start the play and kill it; returns the task that it was in."""
    log = STATE / "interrupted.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            _command(_PLAY), cwd=REPOSITORY, env=_environment(), stdout=output, stderr=output, start_new_session=True
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if power_cut:
        subprocess.run(["docker", "kill", _NODE], check=True, capture_output=True)
        subprocess.run(["docker", "start", _NODE], check=True, capture_output=True)
        _wait_for_systemd()
    tasks = re.findall(r"^TASK \[(?:toolserve\.gpunode\.)?(.+?)\] \*", log.read_text(), re.MULTILINE)
    return str(tasks[-1]) if tasks else "(before the first)"


def _converge(name: str) -> int:
    """Run the play, with the reboots that it asks for, until nothing changes; returns the number of runs.

    :raises BenchError: it fails for another reason, or still changes something in the fourth run.
    """
    for runs in range(1, 5):
        result = _playbook(_PLAY)
        (STATE / f"interrupt-{name}-{runs}.log").write_text(result.stdout)
        said = " ".join(result.stdout.partition("fatal:")[2].split())
        if result.returncode != 0 and "A reboot is needed" in said:
            subprocess.run(["docker", "restart", "--time", "5", _NODE], check=True, capture_output=True)
            _wait_for_systemd()
        elif result.returncode != 0:
            raise BenchError(f"failed: {said[:200]} (.bench/interrupt-{name}-{runs}.log)")
        elif re.search(rf"^{_NODE} .* changed=0 ", result.stdout, re.MULTILINE):
            return runs
    raise BenchError(f"the fourth run still changes something (.bench/interrupt-{name}-4.log)")


def _wait_for_systemd() -> None:
    for _second in range(60):
        command = ["docker", "exec", _NODE, "systemctl", "is-system-running"]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() in (
            "running",
            "degraded",
        ):
            return
        time.sleep(1)
    raise BenchError(f"{_NODE} did not come up within a minute.")


def _must(result: subprocess.CompletedProcess[str], what: str) -> None:
    if result.returncode != 0:
        raise BenchError(f"{what} failed:\n{result.stdout}")


def _playbook(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(name, *arguments),
        cwd=REPOSITORY,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _command(name: str, *arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "ansible-playbook"), "-i", _INVENTORY, name, *arguments]


def _environment() -> dict[str, str]:
    plain = {"ANSIBLE_NOCOLOR": "1", "MOLECULE_PROJECT_DIRECTORY": str(REPOSITORY)}
    return {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), **plain}


if __name__ == "__main__":
    sys.exit(main())
