# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every profile on a release of vLLM: does it take the command line, has it the parsers and the model?"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cluster, serving
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import STREAMS_WHOLE, ServingRelease

from tests.bench.console import BenchError
from tests.profiles import reading

from . import interpreter, kv_caches, options, templates
from .releases import HERE, Release
from .results import Category

ROOT = HERE.parents[1]
FILES = ROOT / "roles" / "vllm" / "files"
_LIMIT_SECONDS = 300


# Set-ups that were published, besides those that are a profile alone.
_SET_UPS: dict[str, tuple[str, dict[str, Any]]] = {
    "the reference node": (
        "qwen2.5-14b-instruct-awq",
        {"quantization": "awq_marlin", "gpu-memory-utilization": 0.95},
    ),
    "gpt-oss with the demo tools": ("gpt-oss-20b", {"tool-server": "demo"}),
    "gpt-oss with MCP servers": ("gpt-oss-20b", {"tool-server": "localhost:8001,localhost:8002"}),
    "gpt-oss on two GPUs": ("gpt-oss-120b", {"tensor-parallel-size": 2}),
    "gpt-oss in batches": (
        "gpt-oss-120b",
        {
            "tensor_parallel_size": 8,
            "max-num-batched-tokens": 10240,
            "max-num-seqs": 128,
            "gpu-memory-utilization": 0.85,
            "enable-prefix-caching": False,
        },
    ),
}


def check(release: Release) -> dict[str, Category]:
    """Every profile and set-up that the release can serve, and whether our table of its options is right."""
    served: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in reading.names()}
    lines: dict[str, dict[str, Any]] = {}
    shown: dict[str, dict[str, Any]] = {}
    for name, (profile_name, extra) in (served | _SET_UPS | _on_two_nodes(release)).items():
        profile = reading.read(profile_name)
        if line := command_line(profile, release, extra):
            lines[name] = line
            template = chat_template(line["command"], profile)
            if template and not extra:
                shown[name] = template
    broken = _broken(lines["hermes-3-llama-3.1-8b"])
    parsers = sorted({line["tool_parser"] for line in lines.values()})
    answer = ask(release, lines | broken, parsers, shown)
    commands = answer["problems"]
    for name in broken:  # what a release has to refuse, so that its silence about the others means something
        commands[name] = None if commands[name] else "is taken"
    return {
        "profiles": _category(commands),
        "templates": _category(_flat(answer["templates"])),
        "calls": _category(_flat(answer["calls"])),
        "streams": _category(_unexpected(answer["streams"], release)),
        "contexts": _category(kv_caches.problems(answer["contexts"])),
        "options": options.check(release, answer["options"]),
    }


def _on_two_nodes(release: Release) -> dict[str, tuple[str, dict[str, Any]]]:
    """What head and worker of a cluster get, with the runtime of this release."""
    runtime, head = cluster.runtime(cluster.AUTO, release.name), "10.0.0.1"
    return {
        f"gpt-oss on two nodes, {who}": (
            "gpt-oss-120b",
            cluster.Member(rank, 2, runtime, cluster.PORTS[runtime], head, head).options()
            | {"pipeline-parallel-size": 2, "tensor-parallel-size": 8},
        )
        for rank, who in enumerate(("the head", "a worker"))
    }


def _broken(line: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Command lines that no release may take, one for each thing that is looked at."""
    return {
        "an unknown option": {**line, "command": [*line["command"], "--gpu-memory-utilisation-limit", "1"]},
        "a value that is none": {**line, "command": [*line["command"], "--max-model-len", "long"]},
        "a template that is not there": {**line, "command": [*line["command"], "--chat-template", "/absent.jinja"]},
        "an unknown tool parser": {**line, "tool_parser": "hermess"},
        "an unknown reasoning parser": {**line, "reasoning_parser": "hermes"},
        "an unknown architecture": {**line, "architecture": "HermesForCausalLM"},
    }


def _unexpected(problems: dict[str, str | None], release: Release) -> dict[str, str | None]:
    """Where a parser's streaming is not what STREAMS_WHOLE says of this release, one way or the other."""
    serving_release = ServingRelease.named(release.name)
    return {
        parser: problem if serving_release.streams_whole(parser) else None if problem else "streams whole calls here"
        for parser, problem in problems.items()
        if parser in STREAMS_WHOLE
    }


def _flat(problems: dict[str, dict[str, str | None]]) -> dict[str, str | None]:
    return {f"{name}, {case}": problem for name, cases in problems.items() for case, problem in cases.items()}


def _category(problems: dict[str, str | None]) -> Category:
    failures = [f"{name}: {problem}" for name, problem in problems.items() if problem]
    return Category(len(problems) - len(failures), len(failures), tuple(failures))


def command_line(profile: dict[str, Any], release: Release, extra: dict[str, Any]) -> dict[str, Any] | None:
    """What the driver needs to know of it; None below the profile's floor."""
    try:
        command = serving.command(profile, release.name, extra, bool(profile["model"].get("local")))
    except serving.UnusableCommandError:
        if parse_release(release.name) < parse_release(profile["vllm"]["minimum_release"]):  # type: ignore[operator]
            return None
        raise
    return {
        "command": [on_this_machine(argument, release) for argument in command.arguments],
        "tool_parser": profile["tool_calls"]["parser"],
        "reasoning_parser": profile["tool_calls"].get("reasoning_parser"),
        "architecture": profile.get("architecture", {}).get("class"),
    }


def on_this_machine(argument: str, release: Release) -> str:
    """A path inside the container, as the path of the same file here."""
    examples = ServingRelease.named(release.name).template("")
    for inside, outside in (
        (serving.PARSER_FOLDER, FILES / "tool_parsers"),
        (serving.TEMPLATE_FOLDER, FILES / "chat_templates"),
        (examples.rstrip("/"), templates.folder_of(release)),
        ("/models/pocket", ROOT / "tests" / "pocket_model" / "model"),
    ):
        if argument.startswith(f"{inside}/"):
            return str(outside / argument.removeprefix(f"{inside}/"))
    return argument


def chat_template(command: list[str], profile: dict[str, Any]) -> dict[str, Any] | None:
    """What the driver needs to know of it; None for the model's own, which is not here, and the pocket model's."""
    if "--chat-template" not in command or profile["model"].get("local"):
        return None
    path = Path(command[command.index("--chat-template") + 1])
    capabilities = profile["capabilities"]
    return {
        "source": path.read_text(encoding="utf-8"),
        "parallel": capabilities["parallel"],
        "system": capabilities.get("system_message", True),
    }


def ask(
    release: Release,
    lines: dict[str, dict[str, Any]],
    parsers: list[str] | None = None,
    chat_templates: dict[str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """What the release itself says: its options, and the problems of each command line, tool parser and template.

    :raises BenchError: it came to no end.
    """
    process = subprocess.run(
        interpreter.command(HERE / "driver" / "command_line.py", []),
        # Offline it would look the model up in the hub's cache; this far it asks no hub.
        env={**interpreter.environment(release), "HF_HUB_OFFLINE": "0"},
        input=json.dumps(
            {
                "commands": lines,
                "tool_parsers": parsers or [],
                "templates": chat_templates or {},
                "contexts": kv_caches.cases(),
            }
        ),
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
        check=False,
    )
    if process.returncode != 0:
        raise BenchError(f"The command line of vLLM {release.name} could not be read:\n{process.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer
