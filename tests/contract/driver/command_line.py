# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""This release's own command line: reads command lines and templates as JSON, says what it makes of them as JSON.

Nothing of vLLM is replaced but the platform: without a GPU it finds none, and wants one to fill in its defaults.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import warnings
from typing import Any

# Old releases log to stdout; what is said there from here on goes to stderr.
_ANSWER = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import calls  # noqa: E402
import kv_cache  # noqa: E402
import templates  # noqa: E402
import vllm.platforms  # noqa: E402
from vllm.platforms.cpu import CpuPlatform  # noqa: E402

vllm.platforms._current_platform = CpuPlatform()

_CLI = ("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args", "vllm.entrypoints.openai.cli_args")
_ARGPARSE = ("vllm.utils.argparse_utils", "vllm.utils")
_TOOL_PARSERS = ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")


def main() -> None:
    job = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    answer = {
        "options": sorted(name[2:] for name in _parser()._option_string_actions if name.startswith("--")),
        "problems": {name: _problem(**line) for name, line in job["commands"].items()},
        "calls": {parser: calls.problems(_tool_parsers(), parser) for parser in job["tool_parsers"]},
        "streams": {parser: calls.stream_problem(parser) for parser in job["tool_parsers"]},
        "contexts": {name: kv_cache.longest_context(**case) for name, case in job["contexts"].items()},
        "templates": {name: templates.problems(**template) for name, template in job["templates"].items()},
    }
    with _ANSWER:
        json.dump(answer, _ANSWER)


def _problem(
    command: list[str], tool_parser: str, reasoning_parser: str | None, architecture: str | None
) -> str | None:
    """The first thing in the way of a start with this command line, up to where the engine would load the model."""
    from vllm.engine.arg_utils import AsyncEngineArgs

    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            arguments = _parser().parse_args(command)
    except SystemExit:
        return errors.getvalue().strip().splitlines()[-1]
    try:
        _named(_CLI, "validate_parsed_serve_args")(arguments)
        AsyncEngineArgs.from_cli_args(arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if arguments.tool_parser_plugin:
        _tool_parsers().import_tool_parser(arguments.tool_parser_plugin)
    return _missing(tool_parser, reasoning_parser, architecture)


def _missing(tool_parser: str, reasoning_parser: str | None, architecture: str | None) -> str | None:
    """What the command line names, or the model needs, and this release has not."""
    from vllm.model_executor.models import ModelRegistry
    from vllm.reasoning import ReasoningParserManager

    try:
        _tool_parsers().get_tool_parser(tool_parser)
    except KeyError:
        return f"no tool parser {tool_parser}"
    if reasoning_parser:
        try:
            ReasoningParserManager.get_reasoning_parser(reasoning_parser)
        except KeyError:
            return f"no reasoning parser {reasoning_parser}"
    if architecture and architecture not in ModelRegistry.get_supported_archs():
        return f"no architecture {architecture}"
    return None


def _parser() -> Any:
    return _named(_CLI, "make_arg_parser")(_named(_ARGPARSE, "FlexibleArgumentParser")())


def _tool_parsers() -> Any:
    return _named(_TOOL_PARSERS, "ToolParserManager")


def _named(modules: tuple[str, ...], name: str) -> Any:
    """It moved from module to module; the newest place comes first."""
    for module in modules:
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(module), name)
    raise ImportError(f"no {name} in {', '.join(modules)}")


if __name__ == "__main__":
    main()
