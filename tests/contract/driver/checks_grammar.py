# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""From 0.24 on: the structural tag that constrains enforced calls to the parser's own format."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from checks_chat import tool_choices
from report import Report
from scripts import TIME, WEATHER, chat_request
from server import VERSION, ChatServer
from tokenizer import TOKENIZER

HAS_TAGS = VERSION >= (0, 24)
NAMED = {"type": "function", "function": {"name": "get_weather"}}
WEATHER_BLOCK = f"<tools>{WEATHER}</tools>"
TIME_BLOCK = f"<tools>{TIME}</tools>"
# What both accept and what neither does; {call} is a call of get_weather.
GOOD = ("<tools>{call}</tools>", "<tools>\n{call}\n</tools>", "<tool_call>\n{call}\n</tool_call>")
BAD = ("I look.", "{call}", "[{call}]", "<tools>{call}", '<tools>{"name": "unknown", "arguments": {}}</tools>')
BROKEN = '<tools>{"name": "get_weather", "arguments": {"city": 5}}</tools>'  # not of the tool's schema


def check_all(report: Report, server: ChatServer) -> None:
    if not HAS_TAGS:
        return
    required = functools.partial(chat_request, tool_choice="required")
    named = functools.partial(chat_request, tool_choice=NAMED)
    strict = functools.partial(chat_request, strict=True)
    for name, request in (("required", required), ("named", named), ("strict", strict)):
        grammar = Grammar(server, request)
        good = {text.replace("{call}", WEATHER): True for text in GOOD}
        bad = {text.replace("{call}", WEATHER): False for text in BAD} if name != "strict" else {}
        for text, wanted in {**good, **bad}.items():
            report.check("grammar", f"{name}: {text}", grammar.difference, text, wanted)
        grammar = Grammar(server, functools.partial(request, strict=True))
        for text, wanted in {WEATHER_BLOCK: True, BROKEN: False}.items():
            report.check("grammar", f"{name}, strict: {text}", grammar.difference, text, wanted)
    more = {
        "required": (required, {f"{WEATHER_BLOCK}\n{TIME_BLOCK}": True, TIME_BLOCK: True}),
        "named": (named, {TIME_BLOCK: False, f"{WEATHER_BLOCK}\n{WEATHER_BLOCK}": False}),
        "strict": (strict, {"I look.": True, f"I look.\n{WEATHER_BLOCK} and {TIME_BLOCK}": True}),
    }
    for name, (request, texts) in more.items():
        grammar = Grammar(server, request)
        for text, wanted in texts.items():
            report.check("grammar", f"{name}: {text}", grammar.difference, text, wanted)
    report.check("grammar", "auto is free", _unconstrained, server, chat_request())
    report.check("grammar", "none is free", _unconstrained, server, chat_request(tool_choice="none"))


def check_without(report: Report, server: ChatServer) -> None:
    """Under VLLM_ENFORCE_STRICT_TOOL_CALLING=0: no tag, and vLLM's own JSON for required and named calls."""
    for name, choice in (("required", "required"), ("named", NAMED)):
        report.check("not enforced", f"{name} has no tag", _untagged, server, chat_request(tool_choice=choice))
    inner = Report()
    tool_choices(inner, server)
    for category in inner.categories.values():
        report.add("not enforced", category)


def _tag(server: ChatServer, request: Any) -> str | None:
    structured = server.adjusted(request).structured_outputs
    return structured.structural_tag if structured else None


def _untagged(server: ChatServer, request: Any) -> str | None:
    return "there is a structural tag" if _tag(server, request) else None


def _unconstrained(server: ChatServer, request: Any) -> str | None:
    structured = server.adjusted(request).structured_outputs
    return None if structured is None else f"constrained to {structured!r}"


class Grammar:
    """The grammar of a request's tag, made when it is first needed: that it cannot be made is a fault of each check."""

    def __init__(self, server: ChatServer, request: Callable[[], Any]) -> None:
        self._server, self._request = server, request

    @functools.cached_property
    def _compiled(self) -> Any:
        import xgrammar

        tag = _tag(self._server, self._request())
        if tag is None:
            raise ValueError("the request has no structural tag")
        tokenizer = xgrammar.TokenizerInfo.from_huggingface(TOKENIZER)
        return xgrammar.GrammarCompiler(tokenizer).compile_structural_tag(tag)

    def difference(self, text: str, wanted: bool) -> str | None:
        import xgrammar

        matcher = xgrammar.GrammarMatcher(self._compiled)
        accepted = matcher.accept_string(text) and matcher.accept_token(TOKENIZER.eos_token_id)
        return None if accepted == wanted else "refused" if wanted else "accepted"
