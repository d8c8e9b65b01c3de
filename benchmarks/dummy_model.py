# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real vLLM on the CPU with the shape of a real model and random weights: real speed without a checkpoint."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from tests.bench import LABEL, server, vllm_image
from tests.bench.ansible import REPOSITORY

MODEL = "dummy"
CONFIG = REPOSITORY / "benchmarks/models/qwen2.5-0.5b/config.json"
_MOUNT = f"/models/{MODEL}"
_ARGUMENTS = (
    *("--model", _MOUNT, "--served-model-name", MODEL, "--load-format", "dummy"),
    # The image has no compiler, and one thread does not have to wait for others where cores are shared.
    *("--enforce-eager", "--max-model-len", "2048", "--max-num-seqs", "8"),
)
_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1"}


@dataclass(frozen=True)
class DummyServer:
    """``folder`` is what the server knows of the model; the container holds vLLM's own benchmark as well."""

    url: str
    folder: Path
    container: Container

    def benchmark(self, prompt_tokens: int, output_tokens: int, prompts: int) -> dict[str, Any]:
        """What vLLM's own benchmark says, one request at a time."""
        code = (
            "import argparse, json\n"
            "from vllm.benchmarks.serve import add_cli_args, main\n"
            "parser = argparse.ArgumentParser()\n"
            "add_cli_args(parser)\n"
            "result = main(parser.parse_args())\n"
            "print('RESULT', json.dumps(result, default=str))\n"
        )
        arguments = [
            *("--backend", "openai", "--base-url", "http://127.0.0.1:8000", "--endpoint", "/v1/completions"),
            *("--model", MODEL, "--tokenizer", _MOUNT, "--dataset-name", "random", "--seed", str(_seed())),
            *("--random-input-len", str(prompt_tokens), "--random-output-len", str(output_tokens)),
            *("--num-prompts", str(prompts), "--max-concurrency", "1", "--num-warmups", "1"),
            *("--ignore-eos", "--temperature", "0", "--disable-tqdm", "--ready-check-timeout-sec", "0"),
        ]
        exit_code, output = self.container.exec_run(["python3", "-c", code, *arguments])
        assert isinstance(output, bytes)  # it is not streamed
        text = output.decode(errors="replace")
        found = [line for line in text.splitlines() if line.startswith("RESULT ")]
        if exit_code != 0 or not found:
            raise RuntimeError(f"vLLM's benchmark failed:\n{text[-3000:]}")
        result: dict[str, Any] = json.loads(found[-1].removeprefix("RESULT "))
        return result


def _seed() -> int:
    """Another one each time: the prefix cache would know the prompts of the last run."""
    return secrets.randbelow(2**24)


@contextmanager
def serving(client: docker.DockerClient, threads: int) -> Iterator[DummyServer]:
    """Serve until the context is left."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="toolserve-bench-")))
        shutil.copy(CONFIG, folder)
        for file in (REPOSITORY / "tests/pocket_model/model").glob("tokenizer*"):
            shutil.copy(file, folder)
        image, _archive = vllm_image.ensure(client)
        container = client.containers.create(
            image,
            command=list(_ARGUMENTS),
            environment={**_ENVIRONMENT, "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(threads)},
            ports={"8000/tcp": ("127.0.0.1", 0)},
            volumes={str(folder): {"bind": _MOUNT, "mode": "ro"}},
            shm_size="1g",
            labels={LABEL: "1"},
        )
        address = stack.enter_context(server.started(container, "random weights"))
        yield DummyServer(f"{address}/v1", folder, container)
