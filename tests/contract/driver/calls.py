# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What each family of models writes when it calls a tool, through this release's own parser of that family."""

from __future__ import annotations

import json
from typing import Any

from scripts import chat_request
from tokenizer import make

_CALL = '{"name": "get_weather", "arguments": {"city": "Bern"}}'
_WITH_PARAMETERS = '{"name": "get_weather", "parameters": {"city": "Bern"}}'

# By parser; the forms are those of the models' documentation and of vLLM's templates for them.
OUTPUTS = {
    "granite": f"<|tool_call|>[{_CALL}]",
    "granite-20b-fc": f"<function_call> {_CALL}",
    "hermes": f"<tool_call>\n{_CALL}\n</tool_call>",
    "internlm": f"<|action_start|><|plugin|>\n{_WITH_PARAMETERS}<|action_end|>",
    "jamba": f"<tool_calls>[\n    {_CALL}\n]</tool_calls>",
    "llama3_json": _WITH_PARAMETERS,
    "mistral": f"[TOOL_CALLS] [{_CALL}]",
    "pythonic": "[get_weather(city='Bern')]",
    "qwen_tools": f"<tool_call>\n{_CALL}\n</tool_call>",
}
# The tokens that parsers look up in the vocabulary of their model.
_TOKENS = [
    *("[TOOL_CALLS]", "<|python_tag|>", "<|tool_call|>"),
    *("<tool_calls>", "</tool_calls>", "<tool_call>", "</tool_call>"),
]


def problems(managers: Any, parser: str) -> dict[str, str | None]:
    """Whether the parser reads its family's output, and leaves that of another family alone.

    Empty for gpt-oss, whose parser wants the tokens of its own vocabulary.
    """
    if parser not in OUTPUTS:
        return {}
    other = "hermes" if parser == "pythonic" else "pythonic"
    return {"its own output": _own(managers, parser), "another family's": _foreign(managers, parser, other)}


def _own(managers: Any, parser: str) -> str | None:
    seen = _extracted(managers, parser, OUTPUTS[parser])
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in seen.tool_calls]
    return None if calls == [("get_weather", {"city": "Bern"})] else f"{calls!r}, content {seen.content!r}"


def _foreign(managers: Any, parser: str, other: str) -> str | None:
    seen = _extracted(managers, parser, OUTPUTS[other])
    return None if not seen.tools_called else f"is read by {parser}: {seen.tool_calls!r}"


def _extracted(managers: Any, parser: str, text: str) -> Any:
    tokenizer = make()
    tokenizer.add_special_tokens({"additional_special_tokens": _TOKENS})
    return managers.get_tool_parser(parser)(tokenizer).extract_tool_calls(text, chat_request())
