# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each client reads the file that the role writes by its own code, asks with its limits, and refuses a wrong one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.bench import npm, pypi
from tests.unit.collection.clients_play import KEY

from .conftest import OUTPUT, Written

Done = subprocess.CompletedProcess[str]


def run(command: list[str], home: Path, **variables: str) -> Done:
    """In an empty project, with a home of its own."""
    project = home.parent / "project"
    project.mkdir(exist_ok=True)
    done = subprocess.run(
        command,
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    print(done.stdout[-4000:], done.stderr[-4000:])
    return done


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_continue(written: Written) -> None:
    file = written.home / ".continue/configs/vllm.yaml"
    assert run([*npm.continue_validator(), str(file)], written.home).returncode == 0
    command = [*npm.continue_(), "--config", str(file), "-p", "Say hello"]
    assert "Hello" in run(command, written.home, VLLM_API_KEY=KEY).stdout or written.requests
    assert written.asked()["max_tokens"] == OUTPUT and written.asked()["tools"]
    assert written.says_the_key() == []
    changed(file, 'model: "pocket"', "model: [pocket]")
    assert run([*npm.continue_validator(), str(file)], written.home).returncode != 0


def test_cline(written: Written) -> None:
    folder = written.home / ".cline/vllm"
    command = [str(npm.cline()), "--data-dir", str(folder), "Say hello"]
    run(command, written.home, OPENAI_API_KEY=KEY)
    assert written.asked()["model"] == "pocket" and written.asked()["tools"]
    assert written.says_the_key() == []
    # It has rewritten its files; what the role has said is still in them.
    models = json.loads((folder / "settings/models.json").read_text())["providers"]["openai-compatible"]["models"]
    assert models["pocket"]["maxTokens"] == OUTPUT
    written.requests.clear()
    changed(folder / "settings/providers.json", '"model": "pocket"', '"model": 3')
    run(command, written.home, OPENAI_API_KEY=KEY)
    assert written.requests == []


def test_aider(written: Written) -> None:
    (written.home / ".aider.conf.yml").write_text("# my own\ndark-mode: true\n")
    program = str(pypi.installed("aider") / "bin/aider")
    quiet = ["--no-check-update", "--no-analytics", "--no-git", "--yes-always", "--verbose"]
    command = [program, "--config", str(written.home / ".aider.vllm.conf.yml"), *quiet, "--message", "Say hello"]
    done = run(command, written.home, OPENAI_API_KEY=KEY)
    assert done.returncode == 0
    assert (written.asked()["model"], written.asked()["max_tokens"]) == ("pocket", OUTPUT)
    assert "dark_mode: True" in done.stdout and '"max_input_tokens": 26624' in done.stdout
    assert written.says_the_key() == []
    changed(written.home / ".aider.vllm.model.settings.yml", "extra_params", "extra_parms")
    assert "extra_parms" in run(command, written.home, OPENAI_API_KEY=KEY).stdout


@pytest.mark.parametrize(
    ("client", "command", "file"),
    [
        ("ogx", ["bin/ogx", "run"], ".ogx/vllm.config.yaml"),
        ("llama_stack", ["bin/llama", "stack", "run"], ".llama/vllm.run.yaml"),
    ],
)
def test_the_servers_start_and_ask_with_the_limit(written: Written, client: str, command: list[str], file: str) -> None:
    folder = pypi.installed(client)
    program = [str(folder / command[0]), *command[1:]]
    with serving(program, written.home / file, folder, written.home) as url:
        models = [model["id"] for model in asked(f"{url}/v1/models")["data"]]
        assert models == ["vllm/pocket"]
        request = {"model": "vllm/pocket", "messages": [{"role": "user", "content": "Say hello"}]}
        answer = asked(f"{url}/v1/chat/completions", request)
        # Its agent, which the MCP servers belong to.
        tool = {"type": "function", "name": "read", "parameters": {"type": "object", "properties": {}}}
        agent = {"model": "vllm/pocket", "input": "Read the file notes.txt.", "tools": [tool]}
        (call,) = [item for item in asked(f"{url}/v1/responses", agent)["output"] if item["type"] == "function_call"]
    assert answer["choices"][0]["message"]["content"]
    assert (call["name"], json.loads(call["arguments"])) == ("read", {"filePath": "notes.txt"})
    assert (written.asked()["model"], written.asked()["max_tokens"]) == ("pocket", OUTPUT)
    assert written.says_the_key() == []
    assert list((written.home / file).parent.glob("vllm/*.db")) and not (written.home.parent / "~").exists()


@pytest.mark.parametrize(
    ("client", "file", "check"),
    [
        ("ogx", ".ogx/vllm.config.yaml", "ogx"),
        ("llama_stack", ".llama/vllm.run.yaml", "llama_stack"),
    ],
)
@pytest.mark.parametrize(
    ("old", "new"),
    [("version: 2", "version: 2"), ("distro_name", "distro"), ("backend: sql_default", "backend: nowhere")],
)
def test_the_configuration_of_the_servers(
    written: Written, client: str, file: str, check: str, old: str, new: str
) -> None:
    changed(written.home / file, old, new)
    code = (
        f"import sys, yaml; from {check}.core.configure import parse_and_maybe_upgrade_config as parse; "
        f"from {check}.core.stack import replace_env_vars as filled; "
        f"from {check}.providers.remote.inference.vllm.config import VLLMInferenceAdapterConfig as Vllm; "
        "stack = parse(filled(yaml.safe_load(open(sys.argv[1])))); "
        "vllm = Vllm(**stack.providers['inference'][0].config); "
        f"assert vllm.max_tokens == {OUTPUT} and vllm.auth_credential.get_secret_value() == '{KEY}'"
    )
    command = [str(pypi.installed(client) / "bin/python"), "-c", code, str(written.home / file)]
    assert (run(command, written.home, VLLM_API_KEY=KEY).returncode == 0) == (old == new)


@contextlib.contextmanager
def serving(program: list[str], file: Path, environment: Path, home: Path) -> Iterator[str]:
    """The server, on a free port, with the encoding that it would fetch from the internet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (encodings,) = environment.glob("lib/python3*/site-packages/litellm/litellm_core_utils/tokenizers")
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "VLLM_API_KEY": KEY, "TIKTOKEN_CACHE_DIR": str(encodings)}
    log = home.parent / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*program, "--port", str(port), str(file)],
            cwd=home.parent,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(lambda: asked(f"{url}/v1/models"), process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)
    print(log.read_text()[-4000:])


def _wait(question: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> None:
    for _second in range(120):
        assert process.poll() is None, log.read_text()[-4000:]
        with contextlib.suppress(URLError, ConnectionError):
            question()
            return
        time.sleep(1)
    raise AssertionError(log.read_text()[-4000:])


def asked(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = Request(url, headers={"Content-Type": "application/json"})
    if body is not None:
        request.data = json.dumps(body).encode()
    with urlopen(request, timeout=60) as answer:
        document: dict[str, Any] = json.loads(answer.read())
    return document
