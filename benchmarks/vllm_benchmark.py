# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vLLM's own benchmark, ready in the server's container: one request at each call, without the wait for its imports."""

from __future__ import annotations

import json
import secrets
import subprocess
from types import TracebackType
from typing import Any

from benchmarks.dummy_model import MODEL, MOUNT, DummyServer

_MARK = "RESULT "
# Reads the arguments of one run from each line, as JSON, and answers with one line.
_DRIVER = f"""
import argparse, json, sys
from vllm.benchmarks.serve import add_cli_args, main
for line in sys.stdin:
    parser = argparse.ArgumentParser()
    add_cli_args(parser)
    print({_MARK!r} + json.dumps(main(parser.parse_args(json.loads(line))), default=str), flush=True)
"""


class VllmBenchmark:
    """Use it in a ``with``; one request at a time, greedy, as many tokens as asked."""

    def __init__(self, server: DummyServer) -> None:
        command = ["docker", "exec", "-i", str(server.container.id), "python3", "-c", _DRIVER]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> VllmBenchmark:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # the end of its input ends it

    def measure(self, prompt_tokens: int, output_tokens: int, requests: int) -> dict[str, Any]:
        """What it says of some requests, one after the other."""
        arguments = [
            *("--backend", "openai", "--base-url", "http://127.0.0.1:8000", "--endpoint", "/v1/completions"),
            # The prefix cache would know the prompts of the same seed.
            *(
                "--model",
                MODEL,
                "--tokenizer",
                MOUNT,
                "--dataset-name",
                "random",
                "--seed",
                str(secrets.randbelow(2**24)),
            ),
            *("--random-input-len", str(prompt_tokens), "--random-output-len", str(output_tokens)),
            *("--num-prompts", str(requests), "--max-concurrency", "1"),
            *("--ignore-eos", "--temperature", "0", "--disable-tqdm", "--ready-check-timeout-sec", "0"),
        ]
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(arguments), file=self._process.stdin, flush=True)
        told = []
        for line in self._process.stdout:
            if line.startswith(_MARK):
                result: dict[str, Any] = json.loads(line.removeprefix(_MARK))
                return result
            told.append(line)
        raise RuntimeError("vLLM's benchmark ended:\n" + "".join(told[-30:]))
