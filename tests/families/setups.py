# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of these tests: a profile's command line, the output of its family, and now and then a wrong parser."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import serving

from tests.contract import command_lines
from tests.contract.releases import Release
from tests.profiles.reading import read

# Needs a GPU, several, or nothing here: it does not change what arrives.
_LEFT_OUT = ("gpu-memory-utilization", "tensor-parallel-size", "quantization", "dtype", "ignore-patterns")


@dataclass(frozen=True)
class Setup:
    """``family``: a name of tests/contract/driver/families.py; ``parser``: the profile's own unless another is named.

    ``template`` stands in for one that is in no repository here, that of the model. ``context`` is in tokens, which are
    bytes here.
    """

    profile: str
    family: str
    parser: str | None = None
    template: str | None = None
    context: int = 32768

    @property
    def name(self) -> str:
        return f"{self.profile} with {self.parser}" if self.parser else self.profile

    def served(self) -> dict[str, Any]:
        """The profile, with what this machine can serve."""
        profile = copy.deepcopy(read(self.profile))
        for argument in _LEFT_OUT:
            profile["vllm"]["arguments"].pop(argument, None)
        profile["context"] |= {"maximum": self.context, "output": 512}
        if self.parser:
            profile["tool_calls"] |= {"parser": self.parser, "parser_plugin": None}
        if self.template:
            profile["tool_calls"]["chat_template"] = self.template
        return profile

    def job(self, release: Release, folder: Path) -> dict[str, Any]:
        """What the driver needs to know."""
        profile = self.served()
        command = serving.command(profile, release.name, {}, False)
        arguments = [command_lines.on_this_machine(argument, release) for argument in command.arguments]
        model = profile["model"]["id"]
        return {
            "family": self.family,
            "command": ["MODEL" if argument == model else argument for argument in arguments],
            "log": str(folder / f"{self.name.replace(' ', '-')}.log"),
        }


_ANY_TEMPLATE = "examples/tool_chat_template_granite.jinja"
# One for each way of writing calls that the profiles have, and each parser.
RIGHT = (
    Setup("gpt-oss-20b", "gpt-oss"),
    Setup("granite-20b-functioncalling", "granite-20b"),
    Setup("granite-3.0-8b-instruct", "granite-3.0"),
    Setup("granite-3.1-8b-instruct", "granite-3.1", template=_ANY_TEMPLATE),
    Setup("hermes-3-llama-3.1-8b", "hermes"),
    Setup("internlm2.5-7b-chat", "internlm"),
    Setup("jamba-1.5-mini", "jamba", template=_ANY_TEMPLATE),
    Setup("llama-3.1-8b-instruct", "llama3"),
    Setup("llama-3.2-3b-instruct", "llama3"),
    Setup("mistral-7b-instruct-v0.3", "mistral"),
    Setup("qwen2.5-7b-instruct", "qwen"),
    Setup("qwen2.5-coder-7b-instruct", "qwen-coder"),
    Setup("toolace-8b", "pythonic"),
)


@dataclass(frozen=True)
class Wrong:
    """A set-up that must fail. ``markup`` and ``right``: what the cause has to name."""

    setup: Setup
    markup: str
    right: str


def _wrong(profile: str, parser: str, markup: str, right: str) -> Wrong:
    own = next(setup for setup in RIGHT if setup.profile == profile)
    return Wrong(replace(own, parser=parser), markup, right)


_LIST = "a bare JSON list"
# hermes asks for special tokens, pythonic does not: they are left out of the text, and the call is bare.
WRONG = (
    _wrong("granite-20b-functioncalling", "hermes", "<function_call>", "granite-20b-fc"),
    _wrong("granite-3.0-8b-instruct", "hermes", "<|tool_call|>", "granite"),
    _wrong("granite-3.0-8b-instruct", "pythonic", _LIST, "granite"),
    _wrong("granite-3.1-8b-instruct", "pythonic", "<tool_call>[…]", "granite"),
    _wrong("hermes-3-llama-3.1-8b", "pythonic", "bare JSON", "hermes"),
    _wrong("internlm2.5-7b-chat", "hermes", "<|action_start|>", "internlm"),
    _wrong("internlm2.5-7b-chat", "pythonic", "bare JSON", "internlm"),
    _wrong("jamba-1.5-mini", "hermes", "<tool_calls>", "jamba"),
    _wrong("jamba-1.5-mini", "pythonic", _LIST, "jamba"),
    _wrong("llama-3.1-8b-instruct", "hermes", "bare JSON", "llama3_json"),
    _wrong("llama-3.2-3b-instruct", "pythonic", "bare JSON", "llama3_json"),
    _wrong("mistral-7b-instruct-v0.3", "hermes", "[TOOL_CALLS]", "mistral"),
    _wrong("mistral-7b-instruct-v0.3", "pythonic", _LIST, "mistral"),
    _wrong("qwen2.5-7b-instruct", "pythonic", "<tool_call>", "qwen_tools"),
    _wrong("qwen2.5-coder-7b-instruct", "hermes", "<tools>", "qwen_tools"),
    _wrong("toolace-8b", "hermes", "[name(argument=…)]", "pythonic"),
)
# vLLM itself refuses these when it starts: their parsers look for tokens that the model has not.
REFUSED = (
    Setup("gpt-oss-20b", "gpt-oss", "hermes"),
    Setup("qwen2.5-7b-instruct", "qwen", "llama3_json"),
    Setup("qwen2.5-7b-instruct", "qwen", "jamba"),
)
