# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Loads the parser plugin without vLLM.

The plugin imports a handful of names from vLLM and nothing else. Here stand modules with just these names; they are in
sys.modules only while the plugin is being loaded, so that no other test can mistake them for vLLM. What the real
classes do with the plugin is tests/contract's business.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "roles" / "vllm" / "files" / "tool_parsers" / "qwen_tools.py"


@dataclass
class DeltaFunctionCall:
    name: str | None = None
    arguments: str | None = None


@dataclass
class DeltaToolCall:
    index: int
    id: str | None = None
    type: str | None = None
    function: DeltaFunctionCall | None = None


@dataclass
class DeltaMessage:
    content: str | None = None
    tool_calls: list[DeltaToolCall] = field(default_factory=list)


@dataclass
class FunctionCall:
    name: str
    arguments: str


@dataclass
class ToolCall:
    id: str
    type: str
    function: FunctionCall


@dataclass
class ExtractedToolCallInformation:
    tools_called: bool
    tool_calls: list[ToolCall]
    content: str | None = None


class OldToolParser:
    """The base class up to 0.18."""

    def __init__(self, tokenizer: Any) -> None:
        self.model_tokenizer = tokenizer
        self.prev_tool_call_arr: list[dict[str, Any]] = []
        self.streamed_args_for_tool: list[str] = []
        self.current_tool_id = -1
        self.current_tool_name_sent = False


class NewToolParser(OldToolParser):
    """The base class from 0.24 on."""

    engine_based_streaming = False
    structural_tag_model: str | None = None
    supports_required_and_named = True
    enforces_strict_tool_calling = True  # VLLM_ENFORCE_STRICT_TOOL_CALLING

    def __init_subclass__(cls) -> None:
        if cls.structural_tag_model is not None and cls.enforces_strict_tool_calling:
            cls.supports_required_and_named = False

    def __init__(self, tokenizer: Any, tools: list[Any] | None = None) -> None:
        super().__init__(tokenizer)
        self.tools = tools or []

    def get_remaining_unstreamed_args(self) -> str:
        return "arguments that were sent already"


class LenientToolParser(NewToolParser):
    """The base class where VLLM_ENFORCE_STRICT_TOOL_CALLING is 0."""

    enforces_strict_tool_calling = False


class ToolParserManager:
    registered: dict[str, type] = {}  # noqa: RUF012  # as in vLLM: one registry for all

    @classmethod
    def register_module(cls, name: list[str], module: type) -> None:
        cls.registered.update(dict.fromkeys(name, module))


PROTOCOL = (DeltaFunctionCall, DeltaMessage, DeltaToolCall, ExtractedToolCallInformation, FunctionCall, ToolCall)
# release: where the base class is, where the messages are, the base class
LAYOUTS = {
    "0.9.2": ("vllm.entrypoints.openai.tool_parsers.abstract_tool_parser", "vllm.entrypoints.openai.protocol"),
    "0.14.0": ("vllm.tool_parsers.abstract_tool_parser", "vllm.entrypoints.openai.protocol"),
    "0.24.0": ("vllm.tool_parsers.abstract_tool_parser", "vllm.entrypoints.openai.engine.protocol"),
    "0.32.0": ("vllm.tool_parsers.abstract_tool_parser", "vllm.entrypoints.generate.base.protocol"),
}
BASE_CLASSES = {"0.9.2": OldToolParser, "0.14.0": OldToolParser, "0.24.0": NewToolParser, "0.32.0": NewToolParser}
CHAT_UTILS = "vllm.entrypoints.chat_utils"
TAG_REGISTRY = "vllm.tool_parsers.structural_tag_registry"
structural_tags: dict[str, Callable[..., Any]] = {}


def register_vllm_structural_tag(model: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda builder: structural_tags.setdefault(model, builder)


def _package(names: Iterable[str]) -> dict[str, ModuleType]:
    modules: dict[str, ModuleType] = {}
    for name in names:
        parts = name.split(".")
        for path in itertools.accumulate(parts, "{}.{}".format):
            modules.setdefault(path, ModuleType(path)).__path__ = []
    return modules


@contextmanager
def _standing_in(modules: dict[str, ModuleType]) -> Iterator[None]:
    real = {name: module for name, module in sys.modules.items() if name == "vllm" or name.startswith("vllm.")}
    for name in real:
        del sys.modules[name]
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)
        sys.modules.update(real)


def _stand_in_for(release: str, base_class: type) -> dict[str, ModuleType]:
    parser_module, protocol_module = LAYOUTS[release]
    is_new = issubclass(base_class, NewToolParser)
    modules = _package([*LAYOUTS[release], CHAT_UTILS, *([TAG_REGISTRY] if is_new else [])])
    contents: dict[str, dict[str, Any]] = {
        parser_module: {"ToolParser": base_class, "ToolParserManager": ToolParserManager},
        protocol_module: {cls.__name__: cls for cls in PROTOCOL},
        CHAT_UTILS: {} if release == "0.9.2" else {"make_tool_call_id": None},
        TAG_REGISTRY: {"register_vllm_structural_tag": register_vllm_structural_tag},
    }
    for name, module in modules.items():
        vars(module).update(contents.get(name, {}))
    return modules


def load_plugin(release: str = "0.32.0", path: Path = PLUGIN, *, base_class: type | None = None) -> Any:
    """The plugin as a module, loaded against what the given release has."""
    modules = _stand_in_for(release, base_class or BASE_CLASSES[release])
    name = f"qwen_tools_on_{release.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    plugin = importlib.util.module_from_spec(spec)
    sys.modules[name] = plugin  # dataclasses look their module up
    with _standing_in(modules):
        spec.loader.exec_module(plugin)
    return plugin


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def cut_at_random(text: str, seed: int) -> list[str]:
    generator = random.Random(seed)
    ends = sorted(generator.sample(range(len(text) + 1), k=generator.randint(0, min(len(text), 40))))
    return [text[start:end] for start, end in itertools.pairwise([0, *ends, len(text)])]


OFFERED = ("get_weather", "get_time", "f")


@dataclass
class Function:
    name: str


@dataclass
class Tool:
    function: Function


@dataclass
class Request:
    """As much of a chat completion's request as the plugin looks at."""

    tools: list[Any] = field(default_factory=lambda: [Tool(Function(name)) for name in OFFERED])
    tool_choice: str = "auto"
    messages: tuple[()] = ()


@dataclass
class Answer:
    content: str
    calls: list[tuple[str, Any]]
    unfinished: list[tuple[str, str]] = field(default_factory=list)

    def stripped(self) -> tuple[str, list[tuple[str, Any]]]:
        return self.content.strip(), self.calls


def whole(plugin: Any, text: str, request: Any = None) -> Answer:
    information = plugin.QwenToolParser(None).extract_tool_calls(text, request or Request())
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in information.tool_calls]
    assert information.tools_called == bool(calls)
    return Answer(information.content or "", calls)


def messages(plugin: Any, pieces: list[str], request: Any = None) -> list[DeltaMessage | None]:
    """The messages of vLLM >= 0.24: one per piece and one for the end."""
    parser = plugin.QwenToolParser(None)
    request = request or Request()
    sent = [parser.extract_tool_calls_streaming("", piece, piece, [], [], [], request) for piece in pieces]
    return [*sent, parser.finish_streaming()]


def assemble(sent: list[DeltaMessage | None]) -> Answer:
    """What a client makes of the messages; raises where they are no valid stream of tool calls."""
    content = ""
    names: list[str] = []
    arguments: list[str] = []
    for message in sent:
        content += (message.content or "") if message else ""
        for delta in message.tool_calls if message else []:
            assert delta.function is not None
            if delta.index == len(names):
                assert delta.id and delta.type == "function" and delta.function.name
                names.append(delta.function.name)
                arguments.append("")
            else:
                assert delta.index == len(names) - 1 and delta.function.arguments
                assert not (delta.id or delta.type or delta.function.name)
            arguments[delta.index] += delta.function.arguments or ""
    answer = Answer(content, [])
    for name, text in zip(names, arguments, strict=True):
        try:
            answer.calls.append((name, json.loads(text)))
        except json.JSONDecodeError:
            answer.unfinished.append((name, text))
    return answer


def streamed(plugin: Any, pieces: list[str], request: Any = None) -> Answer:
    return assemble(messages(plugin, pieces, request))
