# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Check the invariants on random pairs of an output and a way of cutting it.

    python tests/unit/parser/fuzz.py --pairs 1000000 --jobs 2

Output number n of a run is drawn from seed + n: a failure is repeated as the first output of a run with its own seed.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import outputs
from invariants import check_cut, check_whole, read
from outputs import Output
from standin import PLUGIN, load_plugin

CUTS = 8  # of each output
CHUNK = 125  # outputs
FAILURES_SHOWN = 3
Pieces = list[str]


def check(plugin: Any, output: Output, cuts: list[Pieces]) -> Counter[str]:
    """Fails at the first thing that is wrong; counts what was there to go wrong."""
    in_one = check_whole(plugin, output)
    seen = Counter(outputs=1, understood=output.content is not None, text_only=not in_one.calls)
    for pieces in cuts:
        reading = check_cut(plugin, output, in_one, pieces)
        seen.update(pairs=1, calls=len(reading.calls), broken_calls=len(reading.unfinished))
    return seen


def run_chunk(parser: Path, seeds: range) -> tuple[Counter[str], list[str]]:
    plugin = load_plugin(path=parser)
    seen: Counter[str] = Counter()
    failures: list[str] = []
    for seed in seeds:
        random = Random(seed)
        output = outputs.output(random)
        cuts = [outputs.cuts(random, output.text) for _ in range(CUTS)]
        try:
            seen += check(plugin, output, cuts)
        except Exception as error:
            seen["differences" if isinstance(error, AssertionError) else "exceptions"] += 1
            if len(failures) < FAILURES_SHOWN:
                failures.append(explain(plugin, seed, output, cuts, error))
    return seen, failures


def explain(plugin: Any, seed: int, output: Output, cuts: list[Pieces], error: Exception) -> str:
    """The failure with the smallest example of it that can be found."""
    kind = _kind(error)

    def fails(pieces: Pieces) -> bool:
        try:
            check(plugin, Output("".join(pieces)), [pieces])
        except Exception as other:
            return _kind(other) == kind
        return False

    pieces = next(filter(fails, cuts), None)
    if pieces is not None:
        example = f"e.g. {shrunk(pieces, fails)!r}"
    else:  # it takes what the grammar knows
        example = f"{output!r}\nis read as {read(plugin, [output.text])!r}"
    return f"{kind}\n{example}\nrepeat with --pairs {CUTS} --seed {seed}"


def _kind(error: Exception) -> str:
    is_ours = isinstance(error, AssertionError) and str(error)
    return str(error).partition("\n")[0] if is_ours else repr(error)[:100]


def shrunk(pieces: Pieces, fails: Callable[[Pieces], bool]) -> Pieces:
    """Leave out what can be left out, then join what can be joined."""
    again = True
    while again:
        smaller = next(filter(fails, itertools.chain(_shorter(pieces), _joined(pieces))), None)
        pieces, again = smaller or pieces, smaller is not None
    return pieces


def _shorter(pieces: Pieces) -> Iterator[Pieces]:
    length = sum(map(len, pieces))
    size = length // 2
    while size:
        for start in range(0, length, size):
            yield _without(pieces, start, start + size)
        size //= 2


def _without(pieces: Pieces, start: int, end: int) -> Pieces:
    kept, at = [], 0
    for piece in pieces:
        kept.append(piece[: max(start - at, 0)] + piece[max(end - at, 0) :])
        at += len(piece)
    return [piece for piece in kept if piece]


def _joined(pieces: Pieces) -> Iterator[Pieces]:
    for at in range(len(pieces) - 1):
        yield [*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :]]


def run(parser: Path, pairs: int, seed: int, jobs: int) -> bool:
    last = seed + -(-pairs // CUTS)
    chunks = [range(first, min(first + CHUNK, last)) for first in range(seed, last, CHUNK)]
    seen: Counter[str] = Counter()
    failures = 0
    begin = shown = time.monotonic()
    with Pool(jobs) as pool:
        for chunk_seen, chunk_failures in pool.imap(partial(run_chunk, parser), chunks):
            seen += chunk_seen
            for failure in chunk_failures[: max(FAILURES_SHOWN - failures, 0)]:
                print(f"{failure}\n", flush=True)
            failures += len(chunk_failures)
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(report(seen, seed, shown - begin), flush=True)
    print(report(seen, seed, time.monotonic() - begin))
    return not failures


def report(seen: Counter[str], seed: int, seconds: float) -> str:
    return (
        f"{seen['pairs']} pairs of {seen['outputs']} outputs: "
        f"{seen['differences']} differences, {seen['exceptions']} exceptions; "
        f"seen {seen['calls']} calls, {seen['broken_calls']} broken calls, {seen['text_only']} outputs of text only, "
        f"{seen['understood']} outputs of known meaning (seed {seed}, {seconds:.0f} s)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**12))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--parser", type=Path, default=PLUGIN, help="another plugin file")
    arguments = parser.parse_args()
    return 0 if run(arguments.parser, arguments.pairs, arguments.seed, arguments.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
