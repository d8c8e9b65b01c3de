# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""vLLM's serving code without a server: real requests in, scripted model output, real answers out.

Nothing of vLLM is replaced. The objects are made without their constructors, which want a model and an engine; what
the constructors of all releases under test would set is set here.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import vllm
from tokenizer import END_ID, PROMPT_IDS, TOKENIZER, ids_of
from vllm.outputs import CompletionOutput, RequestOutput

try:
    from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat
except ImportError:  # <= 0.14
    from vllm.entrypoints.openai.serving_chat import OpenAIServingChat
try:
    from vllm.tool_parsers import ToolParserManager as Manager
except ImportError:  # <= 0.12
    from vllm.entrypoints.openai.tool_parsers import ToolParserManager as Manager
try:
    from vllm.parser import ParserManager
except ImportError:  # <= 0.15
    ParserManager: Any = None  # type: ignore[no-redef]

NAME = "qwen_tools"
VERSION = tuple(int(part) for part in vllm.__version__.split(".")[:3])
ToolParserManager: Any = Manager
_serving_module = sys.modules[OpenAIServingChat.__module__]
ChatCompletionRequest: Any = _serving_module.ChatCompletionRequest
RequestResponseMetadata: Any = _serving_module.RequestResponseMetadata
MODEL = "a-model"


@dataclass
class Delta:
    """A piece of one choice's output, as the engine hands it over."""

    text: str
    ids: list[int]
    finish_reason: str | None = None
    choice: int = 0

    def output(self) -> CompletionOutput:
        return CompletionOutput(
            index=self.choice,
            text=self.text,
            token_ids=self.ids,
            cumulative_logprob=None,
            logprobs=None,
            finish_reason=self.finish_reason,
        )


def reasoning_parser_class(name: str | None) -> Any:
    if name is None:
        return None
    from vllm.reasoning import ReasoningParserManager

    return ReasoningParserManager.get_reasoning_parser(name)


class ChatServer:
    def __init__(self, reasoning: str | None = None, parser: str = NAME, tokenizer: Any = TOKENIZER) -> None:
        self.tokenizer = tokenizer
        self.tool_parser_class = ToolParserManager.get_tool_parser(parser)
        self.reasoning_class = reasoning_parser_class(reasoning)
        self.parser_class: Any = None
        if hasattr(ParserManager, "get_parser"):
            self.parser_class = ParserManager.get_parser(
                tool_parser_name=parser, reasoning_parser_name=reasoning, enable_auto_tools=True, model_name=MODEL
            )
        self.serving = OpenAIServingChat.__new__(OpenAIServingChat)
        vars(self.serving).update(
            _include_reasoning_tokens_details=False,
            chat_template=None,
            chat_template_content_format="auto",
            default_chat_template_kwargs={},
            enable_auto_tools=True,
            enable_force_include_usage=False,
            enable_log_deltas=False,
            enable_log_outputs=False,
            enable_per_request_metrics=False,
            enable_prompt_tokens_details=False,
            log_error_stack=False,
            model_config=SimpleNamespace(model=MODEL, max_model_len=4096),
            online_renderer=SimpleNamespace(reasoning_effort_map=None),
            parser_cls=self.parser_class,
            reasoning_parser=self.reasoning_class,
            reasoning_parser_cls=self.reasoning_class,
            request_logger=None,
            response_role="assistant",
            return_tokens_as_token_ids=False,
            system_fingerprint=None,
            tool_call_id_type="random",
            tool_parser=self.tool_parser_class,
            use_harmony=False,
        )

    def adjusted(self, request: Any) -> Any:
        """What the server does to a request before the engine sees it."""
        if VERSION >= (0, 24):
            return self.parser_class(self.tokenizer, request.tools).adjust_request(request=request)
        if request.tool_choice == "none":
            return request
        if VERSION >= (0, 19):
            return self.tool_parser_class(self.tokenizer, request.tools).adjust_request(request=request)
        return self.tool_parser_class(self.tokenizer).adjust_request(request=request)

    def whole(self, request: Any, texts: list[str], finish_reason: str = "stop") -> dict[str, Any]:
        """The answer to a request that is not streamed, as its client reads it; one text for each choice."""
        outputs = [
            Delta(text, [*ids_of(text), END_ID], finish_reason, index).output() for index, text in enumerate(texts)
        ]
        method = self.serving.chat_completion_full_generator
        result: Any = asyncio.run(method(**self._arguments(method, request, engine([outputs]))))
        if not hasattr(result, "choices"):
            raise RuntimeError(f"an error instead of an answer: {result!r}")
        answer: dict[str, Any] = result.model_dump(mode="json")
        return answer

    def stream(self, request: Any, deltas: Iterable[Delta]) -> list[str]:
        """What goes over the wire to the client of a streamed request."""
        steps = [[delta.output()] for delta in deltas]
        method = self.serving.chat_completion_stream_generator

        async def collect() -> list[str]:
            return [event async for event in method(**self._arguments(method, request, engine(steps)))]

        return asyncio.run(collect())

    def _arguments(self, method: Any, request: Any, engine: AsyncIterator[RequestOutput]) -> dict[str, Any]:
        known = {
            "request": request,
            "result_generator": engine,
            "request_id": "chatcmpl-1",
            "model_name": MODEL,
            "conversation": [],
            "tokenizer": self.tokenizer,
            "request_metadata": RequestResponseMetadata(request_id="chatcmpl-1"),
            "enable_force_include_usage": False,
            "reasoning_parser": self.reasoning_class(self.tokenizer) if self.reasoning_class else None,
            "chat_template_kwargs": {},
            "mm_token_counts": None,
        }
        wanted = inspect.signature(method).parameters
        if "parser" in wanted:
            known["parser"] = self.parser_class(self.tokenizer, request.tools)
        return {name: known[name] for name in wanted}


async def engine(steps: list[list[CompletionOutput]]) -> AsyncIterator[RequestOutput]:
    for outputs in steps:
        yield RequestOutput(
            request_id="chatcmpl-1",
            prompt="?",
            prompt_token_ids=PROMPT_IDS,
            prompt_logprobs=None,
            outputs=outputs,
            finished=outputs[0].finish_reason is not None,
        )
