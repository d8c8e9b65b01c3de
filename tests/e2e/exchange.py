# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the pocket model, and what has to come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.pocket_model import shapes

ALL_TOOLS = [shapes.tool(name) for name in shapes.TOOL_ARGUMENTS]


@dataclass(frozen=True)
class Call:
    """A call as it arrives: the arguments are the text that the model wrote."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """One choice as a client sees it. No content and empty content are the same here."""

    content: str
    calls: tuple[Call, ...]
    finish_reason: str | None


@dataclass(frozen=True)
class Exchange:
    """A request and its right answer, which follows from the request alone."""

    request: shapes.Request
    hermes: bool

    @property
    def messages(self) -> list[shapes.Message]:
        system = [{"role": "system", "content": "hermes"}] if self.hermes else []
        return [*system, {"role": "user", "content": self.request.text}]

    @property
    def raw(self) -> str:
        """The model's own words, markup and all."""
        return shapes.answer_text(self.request, self.hermes, served=True)

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(Call(name, json.dumps(arguments, ensure_ascii=False)) for name, arguments in self.request.calls)

    @property
    def answer(self) -> Answer:
        text = self.request.lead or self.request.plain
        return Answer(text, self.calls, "tool_calls" if self.calls else "stop")


Make = Callable[[shapes.Source], shapes.Request]
Draw = Callable[..., Exchange]
