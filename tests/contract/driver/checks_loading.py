# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Loading the plugin as the server does, and making parsers of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from report import Report
from scripts import WEATHER, chat_request
from server import NAME, VERSION, ToolParserManager
from tokenizer import TOKENIZER

TEXT = f"<tools>{WEATHER}</tools>"


def load(report: Report, plugin: Path) -> None:
    """Everything else needs this, therefore it raises if nothing was registered."""
    ToolParserManager.import_tool_parser(str(plugin.resolve()))
    parser_class = ToolParserManager.get_tool_parser(NAME)
    report.check("loading", "registered at once", _registered, parser_class)
    forms: dict[str, dict[str, Any] | tuple[Any, ...]] = {"a tokenizer": ()}
    if VERSION >= (0, 19):
        tools = chat_request().tools
        forms |= {"tools by position": (tools,), "tools by name": {"tools": tools}, "no tools": (None,)}
    for label, more in forms.items():
        report.check("loading", f"made with {label}", _made, parser_class, more)
    for label, request in (("no request", None), ("a request that says nothing", SimpleNamespace())):
        report.check("loading", f"whole, {label}", _whole, parser_class, request)
        report.check("loading", f"streamed, {label}", _streamed, parser_class, request)


def _registered(parser_class: Any) -> str | None:
    known = ToolParserManager.tool_parsers
    return None if known.get(NAME) is parser_class else f"not in {sorted(known)}"


def _made(parser_class: Any, more: Any) -> str | None:
    parser = parser_class(TOKENIZER, **more) if isinstance(more, dict) else parser_class(TOKENIZER, *more)
    return _whole_with(parser, chat_request())


def _whole(parser_class: Any, request: Any) -> str | None:
    return _whole_with(parser_class(TOKENIZER), request)


def _whole_with(parser: Any, request: Any) -> str | None:
    found = parser.extract_tool_calls(TEXT, request)
    if not found.tools_called or [call.function.name for call in found.tool_calls] != ["get_weather"]:
        return f"found {found!r}"
    return None


def _streamed(parser_class: Any, request: Any) -> str | None:
    message = parser_class(TOKENIZER).extract_tool_calls_streaming("", TEXT, TEXT, [], [1], [1], request)
    calls = message.tool_calls if message else []
    return None if [call.function.name for call in calls] == ["get_weather"] else f"found {message!r}"
