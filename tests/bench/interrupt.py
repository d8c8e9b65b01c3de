# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make interrupt-node`: kill the play at random moments on nodes with a past; the next runs have to end converged.

Every round starts from the same node, kept as an image. The play's processes get SIGKILL, while what they have started
on the node goes on; with --power-cut the node loses everything that runs on it in the same moment. Then the play is run
until nothing more changes.
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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from .ansible import REPOSITORY
from .console import BenchError, fail, say, step
from .prepare import STATE

_INVENTORY = "molecule/node/inventory/interrupt.yml"
_PLAYS = {"all": "molecule/node/gpu_nodes.yml", "driver": "molecule/node/driver.yml"}
_RUNS = 4
_LOGS = STATE / "interrupt"


@dataclass(frozen=True)
class Round:
    """One interruption of one node, ``after`` seconds."""

    number: int
    node: str
    after: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.interrupt", description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1, help="nodes at once, each with a past of its own")
    parser.add_argument("--seed", type=int, default=None, help="repeats the moments of an earlier run")
    parser.add_argument("--only", metavar="NODE", help="this node of the inventory alone")
    parser.add_argument("--play", choices=_PLAYS, default="all", help="the driver alone makes for short rounds")
    parser.add_argument("--power-cut", action="store_true", help="the node loses its power too")
    arguments = parser.parse_args()
    nodes = [arguments.only] if arguments.only else _nodes()
    try:
        bench = Bench(_PLAYS[arguments.play], arguments.power_cut)
        return bench.run(nodes, arguments.times, arguments.jobs, arguments.seed)
    except BenchError as error:
        return fail(error)
    finally:
        _playbook("tests/bench/destroy_nodes.yml", *_limited(nodes))
        subprocess.run(["docker", "rmi", "--force", *map(_image, nodes)], capture_output=True, check=False)


@dataclass(frozen=True)
class Bench:
    """What is played, and how it is interrupted."""

    play: str
    power_cut: bool

    def run(self, nodes: list[str], times: int, jobs: int, seed: int | None) -> int:
        """All rounds; returns the exit code."""
        seed = random.randrange(10**6) if seed is None else seed
        _LOGS.mkdir(parents=True, exist_ok=True)
        with step("Nodes with a past, as images"):
            for name in ("tests/bench/destroy_nodes.yml", "tests/bench/create_nodes.yml", "molecule/node/prepare.yml"):
                _must(_playbook(name, *_limited(nodes)), name)
            for node in nodes:
                subprocess.run(["docker", "commit", node, _image(node)], check=True, capture_output=True)
        with step("The play without an interruption"), ThreadPoolExecutor(jobs) as pool:
            seconds = dict(zip(nodes, pool.map(self._uninterrupted, nodes), strict=True))
        for node in nodes:
            say(f"    {node}: {seconds[node]:.0f} s")
        say(f"    seed {seed}\n\n round  {'node':30}  killed after  {'in task':56}  runs  outcome")
        rounds = list(_rounds(nodes, seconds, times, random.Random(seed)))
        with ThreadPoolExecutor(jobs) as pool:
            converged = sum(pool.map(lambda node: self._rounds_of(node, rounds), nodes))
        say(f"\n{converged} of {times} ended converged (seed {seed}{', power cut' if self.power_cut else ''})")
        return 0 if converged == times else 1

    def _rounds_of(self, node: str, rounds: Iterable[Round]) -> int:
        """Those of one node, one after another; returns how many ended converged."""
        converged = 0
        for one in rounds:
            if one.node != node:
                continue
            task, runs = "", "-"
            try:
                _fresh(node)
                task = self._killed(one)
                runs, outcome = str(self._converge(node, f"round-{one.number}")), "converged"
                converged += 1
            except BenchError as error:
                outcome = str(error).splitlines()[0]
            say(f"{one.number:6d}  {node:30}  {one.after:10.1f} s  {task[:56]:56}  {runs:>4}  {outcome}")
        return converged

    def _uninterrupted(self, node: str) -> float:
        """How long the first run takes on a fresh node, in seconds."""
        _fresh(node)
        start = time.monotonic()
        result = self._logged(node, "uninterrupted")
        seconds = time.monotonic() - start
        if result.returncode != 0:
            _reboot_if_asked(node, result, "uninterrupted")
        return seconds

    def _killed(self, one: Round) -> str:
        """Start the play and kill it; returns the task that it was in."""
        log = _LOGS / f"{one.node}-round-{one.number}-killed.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                _command(self.play, *_limited([one.node])),
                cwd=REPOSITORY,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                process.wait(one.after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self.power_cut:
            subprocess.run(["docker", "kill", one.node], check=True, capture_output=True)
            subprocess.run(["docker", "start", one.node], check=True, capture_output=True)
            _wait_for_systemd(one.node)
        said = log.read_text()
        if "PLAY RECAP" in said:
            return "(it had ended)"
        tasks = re.findall(r"^TASK \[(?:toolserve\.gpunode\.)?(.+?)\] \*", said, re.MULTILINE)
        return str(tasks[-1]) if tasks else "(before the first)"

    def _converge(self, node: str, name: str) -> int:
        """Run the play, with the reboots that it asks for, until nothing changes; returns the number of runs.

        :raises BenchError: it fails for another reason, or still changes something in the last run.
        """
        for runs in range(1, _RUNS + 1):
            result = self._logged(node, f"{name}-{runs}")
            if result.returncode != 0:
                _reboot_if_asked(node, result, f"{name}-{runs}")
            elif re.search(rf"^{node} .* changed=0 ", result.stdout, re.MULTILINE):
                audit = subprocess.run(["docker", "exec", node, "dpkg", "--audit"], capture_output=True, check=False)
                if audit.stdout:
                    raise BenchError(f"dpkg --audit: {audit.stdout.decode()}")
                return runs
        raise BenchError(f"run {_RUNS} still changes something ({_LOGS}/{node}-{name}-{_RUNS}.log)")

    def _logged(self, node: str, name: str) -> subprocess.CompletedProcess[str]:
        result = _playbook(self.play, *_limited([node]))
        (_LOGS / f"{node}-{name}.log").write_text(result.stdout)
        return result


def _rounds(nodes: list[str], seconds: dict[str, float], times: int, moments: random.Random) -> Iterator[Round]:
    for number in range(1, times + 1):
        node = nodes[number % len(nodes)]
        yield Round(number, node, moments.uniform(1, seconds[node]))


def _fresh(node: str) -> None:
    _must(_playbook("tests/bench/destroy_nodes.yml", *_limited([node])), "destroy_nodes.yml")
    image = ("-e", f"bench_image={_image(node)}")
    _must(_playbook("tests/bench/create_nodes.yml", *_limited([node]), *image), "create_nodes.yml")


def _reboot_if_asked(node: str, result: subprocess.CompletedProcess[str], name: str) -> None:
    said = " ".join(result.stdout.partition("fatal:")[2].split())
    if "A reboot is needed" not in said:
        raise BenchError(f"failed: {said[:300]} ({_LOGS}/{node}-{name}.log)")
    subprocess.run(["docker", "restart", "--time", "5", node], check=True, capture_output=True)
    _wait_for_systemd(node)


def _wait_for_systemd(node: str) -> None:
    command = ["docker", "exec", node, "systemctl", "is-system-running"]
    for _second in range(60):
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() in (
            "running",
            "degraded",
        ):
            return
        time.sleep(1)
    raise BenchError(f"{node} did not come up within a minute.")


def _nodes() -> list[str]:
    inventory = yaml.safe_load((REPOSITORY / _INVENTORY).read_text())
    return list(inventory["bench_nodes"]["children"]["gpu_nodes"]["hosts"])


def _image(node: str) -> str:
    return f"toolserve-bench/{node}"


def _limited(nodes: Iterable[str]) -> tuple[str, str]:
    return ("--limit", ",".join(nodes))


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
