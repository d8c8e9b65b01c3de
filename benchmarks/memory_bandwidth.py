# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory bandwidth of a CPU, after STREAM: all cores read, then copy, memory that no cache holds.

As in STREAM the best of many short trials counts, so that others on the machine disturb little. Decoding only reads,
and reading is mostly the faster of the two; a roofline wants the most that is possible, so the better one counts. The
C library does the work (memchr and memcpy), in one process for each core.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

BUFFER_BYTES = 128 << 20  # for each process: several times the largest cache of a common server
TRIALS = 80

Work = Callable[[bytearray, bytearray], None]


@dataclass(frozen=True)
class Bandwidth:
    """Bytes per second, all processes together; copying counts what is read and what is written."""

    read: float
    copy: float
    processes: int

    @property
    def best(self) -> float:
        """What a roofline is computed from."""
        return max(self.read, self.copy)


def measure() -> Bandwidth:
    """With one process, then two, then four, as far as there are cores: what gives most. Some ten seconds."""
    cores = len(os.sched_getaffinity(0))
    counts = [2**power for power in range(cores.bit_length()) if 2**power <= cores]
    return max((_measure(count) for count in sorted({*counts, cores})), key=lambda found: found.best)


def _measure(count: int) -> Bandwidth:
    return Bandwidth(read=_trials(_read, count), copy=2 * _trials(_copy, count), processes=count)


def _trials(work: Work, count: int) -> float:
    """The best trial: from the start of the first process to the end of the last."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.SimpleQueue[list[tuple[float, float]]] = context.SimpleQueue()
    barrier = context.Barrier(count)
    workers = [context.Process(target=_worker, args=(work, barrier, results)) for _ in range(count)]
    for worker in workers:
        worker.start()
    times = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds: float = min(
        max(end for _start, end in trial) - min(start for start, _end in trial) for trial in zip(*times, strict=True)
    )
    return count * BUFFER_BYTES / seconds


def _worker(
    work: Work,
    barrier: multiprocessing.synchronize.Barrier,
    results: multiprocessing.SimpleQueue[list[tuple[float, float]]],
) -> None:
    # Written once, so that every page is one of its own: untouched memory is one page of zeros.
    source, target = bytearray(b"\x01") * BUFFER_BYTES, bytearray(b"\x01") * BUFFER_BYTES
    times = []
    for _ in range(TRIALS):
        barrier.wait()
        started = time.perf_counter()  # the same clock in every process
        work(source, target)
        times.append((started, time.perf_counter()))
    results.put(times)


def _read(source: bytearray, _target: bytearray) -> None:
    assert source.find(b"\x02") < 0


def _copy(source: bytearray, target: bytearray) -> None:
    memoryview(target)[:] = source


if __name__ == "__main__":
    found = measure()
    print(f"read {found.read / 1e9:.1f} GB/s, copy {found.copy / 1e9:.1f} GB/s, {found.processes} processes")
