# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Renders chat templates as transformers does; `make chat-templates` holds the two against each other.

Run as a script it writes prompts/*.txt anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = Path(__file__).resolve().parents[3] / "roles" / "vllm" / "files" / "chat_templates"
PROMPTS = Path(__file__).with_name("prompts")
TEMPLATES = ("qwen_tools", "qwen_coder_tools")

Message = dict[str, Any]


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def source(template: str) -> str:
    return (FOLDER / f"{template}.jinja").read_text(encoding="utf-8")


@cache
def compiled(template_source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template_source)


def render(template: str, messages: list[Message], **more: Any) -> str:
    """The prompt. `more` holds what transformers passes on: tools, add_generation_prompt."""
    return compiled(source(template)).render(messages=messages, **more)


@dataclass(frozen=True)
class Conversation:
    """A typical conversation; prompts/<name>.<template>.txt is what each template makes of it."""

    name: str
    messages: list[Message]
    tools: list[dict[str, Any]]

    def prompt(self, template: str) -> Path:
        return PROMPTS / f"{self.name}.{template}.txt"

    def rendered(self, template: str) -> str:
        return render(template, self.messages, tools=self.tools or None, add_generation_prompt=True)


def conversations() -> list[Conversation]:
    paths = sorted(PROMPTS.glob("*.json"))
    return [Conversation(path.stem, **json.loads(path.read_text(encoding="utf-8"))) for path in paths]


if __name__ == "__main__":
    for conversation in conversations():
        for name in TEMPLATES:
            conversation.prompt(name).write_text(conversation.rendered(name), encoding="utf-8")
