# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What vLLM says in its log about what it has chosen: memory, kernels, attention, tools.

The wording was read in the sources of vLLM 0.9.2 to 0.33.0. What a release does not log stays None or empty; that a
slow kernel is not named there is no proof of a fast one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import LogLine

_SECRET = re.compile(r"('(?:api_key|hf_token)': )(?:\[[^\]]*\]|'[^']*'|\"[^\"]*\")")
_ARGUMENTS = re.compile(r"non-default args: (\{.*\})\s*$")
_ARGUMENT = re.compile(r"'(\w+)': ('(?:[^'\\]|\\.)*'|True|False|None|-?\d+(?:\.\d+)?(?=[,}])|\[[^\[\]<>]*\])")

_VERSION = re.compile(r"vLLM API server version (\S+)|[█▀▄] +version (\d\S*)$|LLM engine \(v([^)]+)\)")
_DEVICE = re.compile(r"LLM engine .*\bdevice_config=(\w+)")
_POOL = re.compile(r"KV cache size: ([\d,]+) tokens")
_CONCURRENCY = re.compile(r"Maximum concurrency for [\d,]+ tokens per request: ([\d.]+)x")
_WEIGHTS = re.compile(r"Model loading took ([\d.]+) Gi?B")
_ATTENTION = re.compile(
    r"Using (\S+) attention backend out of|Using ([\w ]+?) backend (?:for \S+ )?on V1 engine|Using ([\w ]+?) backend\.$"
)
_EAGER = re.compile(r"Enforce eager set|LLM engine .*\benforce_eager=(True|False)")
_TEMPLATE = re.compile(r"chat template content format to be '(\w+)'")
_AUTO_TOOLS = re.compile(r'"auto" tool choice has been enabled')
_KERNEL = re.compile(
    r"The model is convertible to \w+ during runtime\. Using \w+ kernel|Using '\S+' Mxfp4 MoE backend|"
    r"Using \S+ for (?:(?:Auto)?(?:AWQ|GPTQ)\w*LinearMethod|mixed-precision linear)"
)
_SLOW_KERNEL = re.compile(
    r"forcing (?:awq|gptq)\b|quantization is not fully optimized yet|EmulationMxfp4|"
    r"Falling back to (?:unoptimized AWQ|Moe WNA16) kernels|GPU does not have native support for|"
    r"backend\(s\).* reduced performance"
)


@dataclass
class ServerFacts:
    """``arguments``: what the server was started with beyond its defaults, without secrets.

    ``quantization_kernels`` and ``slow_kernels`` are the lines themselves, each once.
    """

    version: str | None = None
    device: str | None = None
    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    weights_gib: float | None = None
    attention_backend: str | None = None
    enforce_eager: bool | None = None
    auto_tool_choice: bool | None = None
    tool_call_parser: str | None = None
    chat_template_format: str | None = None
    quantization_kernels: list[str] = field(default_factory=list)
    slow_kernels: list[str] = field(default_factory=list)
    arguments: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return asdict(self)


def without_secrets(text: str) -> str:
    """A line of the log without the keys that vLLM up to 0.28 writes into it."""
    return _SECRET.sub(r"\1'***'", text)


def read_facts(lines: Sequence[LogLine]) -> ServerFacts:
    """What the log says; of several starts in one log, the last word."""
    facts = ServerFacts()
    for line in lines:
        _read(line.message, facts)
    if facts.arguments is not None:
        facts.auto_tool_choice = facts.auto_tool_choice or bool(facts.arguments.get("enable_auto_tool_choice"))
        facts.tool_call_parser = facts.arguments.get("tool_call_parser")
    return facts


def _read(message: str, facts: ServerFacts) -> None:
    facts.version = _found(_VERSION, message) or facts.version
    facts.device = _found(_DEVICE, message) or facts.device
    if tokens := _found(_POOL, message):
        facts.kv_cache_tokens = int(tokens.replace(",", ""))
    if times := _found(_CONCURRENCY, message):
        facts.max_concurrency = float(times)
    if gib := _found(_WEIGHTS, message):
        facts.weights_gib = round(float(gib), 2)
    facts.attention_backend = _found(_ATTENTION, message) or facts.attention_backend
    if eager := _EAGER.search(message):
        facts.enforce_eager = eager[1] != "False"
    facts.chat_template_format = _found(_TEMPLATE, message) or facts.chat_template_format
    if _AUTO_TOOLS.search(message):
        facts.auto_tool_choice = True
    for pattern, lines in ((_SLOW_KERNEL, facts.slow_kernels), (_KERNEL, facts.quantization_kernels)):
        if pattern.search(message):
            if message not in lines:
                lines.append(message)
            break
    if arguments := _ARGUMENTS.search(message):
        facts.arguments = _arguments(without_secrets(arguments[1]))


def _found(pattern: re.Pattern[str], message: str) -> str | None:
    found = pattern.search(message)
    return next((group for group in found.groups() if group), None) if found else None


def _arguments(text: str) -> dict[str, Any]:
    try:
        return dict(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError):  # an object among the values: take the plain ones
        return {name: ast.literal_eval(value) for name, value in _ARGUMENT.findall(text)}
