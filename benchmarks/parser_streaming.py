# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What streaming a long tool call costs in qwen_tools and in vLLM's hermes, on one release of vLLM, in one process.

    python -m tests.contract --run 0.32.0 benchmarks/parser_streaming.py --output benchmarks/results

The call writes a file; its content has 1,000 to 256,000 characters. Both parsers get the same deltas of 1 or 4
characters, each with one token, and what that release passes along: all text and tokens so far, or only what is new to
a parser that wants no more. The runs of both take turns, the best of several counts. Time is the processor time of the
parser's method alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import vllm

try:  # vLLM >= 0.13
    from vllm.tool_parsers import ToolParserManager
except ImportError:
    from vllm.entrypoints.openai.tool_parsers import ToolParserManager
try:  # vLLM >= 0.15
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
except ImportError:
    from vllm.entrypoints.openai.protocol import ChatCompletionRequest

PLUGIN = Path(__file__).resolve().parents[1] / "roles" / "vllm" / "files" / "tool_parsers" / "qwen_tools.py"
PARSERS = ("qwen_tools", "hermes")
CHARACTERS = (1_000, 4_000, 16_000, 64_000, 256_000)
DELTA_SIZES = (1, 4)
LAST = 50  # deltas, also how many are timed at once
ROUNDS = 5
ENOUGH_SECONDS = 5.0  # of one cell; there the rounds end
START, OTHER, END = 1, 2, 3  # tokens
CLOSING = ['"}}', "\n", "</tool_call>"]  # deltas
SOURCE = '''\
def summary(rows: list[dict[str, float]], *, title: str = "Übersicht") -> str:
    """Mean and spread of each column, as a Markdown table."""
    lines = [f"# {title}\\n", "| column | mean | spread |", "|---|---|---|"]
    for name in sorted({key for row in rows for key in row}):
        values = [row[name] for row in rows if name in row and row[name] >= 0.0]
        lines.append(f"| {name} | {sum(values) / len(values):.2f} | {max(values) - min(values):.2f} |")
    return "\\n".join(lines)


'''


@dataclass
class Cell:
    """One parser, one length, one size of deltas. Times are in microseconds per delta, but for `seconds`."""

    parser: str
    characters: int
    delta_size: int
    deltas: int = 0
    seconds: float | None = None  # for the whole answer; None: the budget ended before the answer
    mean: float | None = None
    last: float | None = None  # the last 50 deltas of the file
    closing: float | None = None  # what closes the call, in microseconds altogether
    rounds: int = 0
    reached: int = 0  # characters, when the budget ended
    is_right: bool | None = None  # did the arguments arrive as they were written?


class Tokenizer:
    """As much of a tokenizer as the parsers ask for: each tag of hermes is one token, as in Qwen's."""

    eos_token_id = 0

    def get_vocab(self) -> dict[str, int]:
        return {"<tool_call>": START, "</tool_call>": END}

    def encode(self, text: str, **_: Any) -> list[int]:
        return [self.get_vocab().get(text, OTHER)]

    def decode(self, ids: list[int]) -> str:
        return {token: text for text, token in self.get_vocab().items()}.get(ids[0], "")


def arguments_of(characters: int) -> dict[str, str]:
    return {"path": "src/summary.py", "content": (SOURCE * (characters // len(SOURCE) + 1))[:characters]}


def deltas_of(arguments: dict[str, str], size: int) -> list[str]:
    call = json.dumps({"name": "write_file", "arguments": arguments}, ensure_ascii=False)
    body = call.removesuffix(CLOSING[0])
    return ["<tool_call>", "\n", *(body[at : at + size] for at in range(0, len(body), size)), *CLOSING]


def calls_of(deltas: list[str], only_new: bool) -> Iterator[tuple[Any, ...]]:
    """The arguments of extract_tool_calls_streaming, delta by delta."""
    text = ""
    ids: list[int] = []
    for delta in deltas:
        token = {"<tool_call>": START, "</tool_call>": END}.get(delta, OTHER)
        if only_new:
            yield "", delta, delta, [], [token], [token]
        else:
            before, text, ids_before, ids = text, text + delta, ids, [*ids, token]
            yield before, text, delta, ids_before, ids, [token]


def run(cell: Cell, budget: float) -> None:
    """One round: feed the answer, keep the times if they are the best so far."""
    arguments = arguments_of(cell.characters)
    deltas = deltas_of(arguments, cell.delta_size)
    parser = ToolParserManager.get_tool_parser(cell.parser)(Tokenizer())
    request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "Write it."}], tools=TOOLS)
    times: list[int] = []
    received, fed = "", 0
    calls = calls_of(deltas, getattr(parser, "engine_based_streaming", False))
    groups, first = divmod(len(deltas) - len(CLOSING), LAST)
    for size in (first, *[LAST] * groups, len(CLOSING)):
        group = list(itertools.islice(calls, size))
        messages = []
        begin = time.process_time_ns()
        for call in group:
            messages.append(parser.extract_tool_calls_streaming(*call, request))
        times.append(time.process_time_ns() - begin)
        received += "".join(map(arguments_in, messages))
        fed += size
        if sum(times) > budget * 1e9:
            cell.reached = fed * cell.delta_size
            return
    cell.rounds += 1
    cell.deltas = len(deltas)
    cell.is_right = is_json_of(received, arguments)
    cell.seconds = least(cell.seconds, sum(times) / 1e9)
    cell.mean = least(cell.mean, sum(times) / len(deltas) / 1e3)
    cell.last = least(cell.last, times[-2] / LAST / 1e3)
    cell.closing = least(cell.closing, times[-1] / 1e3)


def least(best: float | None, new: float) -> float:
    return new if best is None else min(best, new)


def arguments_in(message: Any) -> str:
    calls = (message.tool_calls if message else None) or []
    return "".join(call.function.arguments or "" for call in calls)


def is_json_of(text: str, value: Any) -> bool:
    try:
        return bool(json.loads(text) == value)
    except ValueError:
        return False


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "write_file",
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
            },
        },
    }
]


def measure(characters: tuple[int, ...], budget: float) -> list[Cell]:
    cells: list[Cell] = []
    for size in DELTA_SIZES:
        hopeless: set[str] = set()
        for length in characters:
            row = [Cell(parser, length, size) for parser in PARSERS]
            cells += row
            spent = dict.fromkeys(PARSERS, 0.0)
            for _ in range(ROUNDS):
                for cell in row:
                    if cell.parser in hopeless or spent[cell.parser] > ENOUGH_SECONDS:
                        continue
                    begin = time.process_time()
                    run(cell, budget)
                    spent[cell.parser] += time.process_time() - begin
                    if cell.reached:  # longer ones would take longer
                        hopeless.add(cell.parser)
            print("\n".join(map(str, row)), flush=True)
    return cells


def machine() -> dict[str, Any]:
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--longest", type=int, default=CHARACTERS[-1], help="characters")
    parser.add_argument(
        "--budget", type=float, default=120.0, help="seconds for one answer; a parser that needs more is stopped"
    )
    arguments = parser.parse_args()
    ToolParserManager.import_tool_parser(str(PLUGIN))
    cells = measure(tuple(length for length in CHARACTERS if length <= arguments.longest), arguments.budget)
    result = {
        "release": vllm.__version__,
        "machine": machine(),
        "budget_seconds": arguments.budget,
        "cells": [asdict(cell) for cell in cells],
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"parser_streaming_{vllm.__version__}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
