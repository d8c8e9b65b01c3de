# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Chat templates of profiles, rendered by this release's transformers from what this release would hand them."""

from __future__ import annotations

import contextlib
import copy
import importlib
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_ASK: dict[str, Any] = {"role": "user", "content": "How warm is it in Bern and in Oslo?"}
_SYSTEM: dict[str, Any] = {"role": "system", "content": "You are a patient helper."}
_CALLS: list[dict[str, Any]] = [
    {
        "id": f"chatcmpl-tool-{digit * 32}",  # as vLLM makes them
        "type": "function",
        "function": {"name": "get_weather", "arguments": {"city": city}},  # vLLM has decoded them
    }
    for digit, city in (("a", "Bern"), ("b", "Oslo"))
]
_RESULTS: list[dict[str, Any]] = [
    {"role": "tool", "tool_call_id": call["id"], "content": text}
    for call, text in zip(_CALLS, ("12.25 degrees", "-3.75 degrees"), strict=True)
]
_ONE: list[dict[str, Any]] = [_ASK, {"role": "assistant", "content": None, "tool_calls": _CALLS[:1]}, _RESULTS[0]]
_TWO: list[dict[str, Any]] = [_ASK, {"role": "assistant", "content": None, "tool_calls": _CALLS}, *_RESULTS]

# What is rendered, and what must be found in the prompt.
CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], bool, tuple[str, ...]]] = {
    "no tools": ([_ASK], False, (_ASK["content"],)),
    "system message": ([_SYSTEM, _ASK], False, (_SYSTEM["content"], _ASK["content"])),
    "tools": ([_ASK], True, ("get_weather", "The weather of a city", "city", _ASK["content"])),
    "call and result": (_ONE, True, ("get_weather", "Bern", "12.25 degrees")),
    "parallel results": (_TWO, True, ("Bern", "Oslo", "12.25 degrees", "-3.75 degrees")),
}
_PARALLEL, _SYSTEM_MESSAGE = "parallel results", "system message"
_DETECTORS = ("vllm.renderers.hf", "vllm.entrypoints.chat_utils")


def problems(source: str, parallel: bool, system: bool) -> dict[str, str | None]:
    """What is wrong with each conversation's prompt.

    ``parallel``, ``system``: what the profile says that the model takes. A template may refuse parallel calls where it
    says no, and has to refuse a system message.
    """
    content_format = _content_format(source)
    tokens = Tokenizer(WordLevel({}, unk_token=""))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token="<s>", eos_token="</s>")
    found: dict[str, str | None] = {}
    for name, (messages, with_tools, wanted) in CONVERSATIONS.items():
        try:
            prompt = tokenizer.apply_chat_template(
                _contents(messages, content_format),
                tools=[_TOOL] if with_tools else None,
                chat_template=source,
                add_generation_prompt=True,
                tokenize=False,
            )
        except Exception as error:  # a template may fail in any way, and then so does the request
            expected = (name == _PARALLEL and not parallel) or (name == _SYSTEM_MESSAGE and not system)
            refused = expected and isinstance(error, TemplateError)
            found[name] = None if refused else f"{type(error).__name__}: {error}"
            continue
        if name == _SYSTEM_MESSAGE and not system:
            found[name] = "is taken, although the profile says that it is not"
            continue
        missing = [text for text in wanted if text not in prompt]
        found[name] = f"lacks {', '.join(missing)}" if missing else None
    return found


def _content_format(source: str) -> str:
    """Whether vLLM passes contents as a text or as a list of parts: it reads that out of the template."""
    for module in _DETECTORS:
        with contextlib.suppress(ImportError, AttributeError):
            detect = importlib.import_module(module)._detect_content_format
            return str(detect(source, default="string"))
    raise ImportError(f"no _detect_content_format in {', '.join(_DETECTORS)}")


def _contents(messages: list[dict[str, Any]], content_format: str) -> list[dict[str, Any]]:
    """The contents in that format, as vLLM makes it of what a client sends; null becomes an empty one."""
    copied = copy.deepcopy(messages)
    for message in copied:
        text = message["content"]
        parts = [{"type": "text", "text": text}] if text is not None else []
        message["content"] = parts if content_format == "openai" else text or ""
    return copied
