# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""Holds our chat templates against the models' own, in transformers itself: `make chat-templates`.

In every release of transformers: the committed prompts come out; whatever a client may send is rendered as the unit
tests render it; and the model's own template makes the same prompt, character by character, of what it takes. The
Coder's is compared without tools only: with tools ours differs on purpose. Exits with 1 where something differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.bench.console import BenchError, fail, say
from tests.unit.parser.rendering import TEMPLATES, conversations, render, source

from .packages import HERE, RELEASES, own_templates, transformers
from .samples import Sampler

SAMPLES = 500  # per kind
COLUMNS = ("committed", "as unit tests", "own, no tools", "own, tools")


@dataclass(frozen=True)
class Check:
    """A conversation that transformers has to render as `expected` with the template's source."""

    column: str
    conversation: dict[str, Any]
    source: str
    expected: str


def checks(template: str, own: str) -> list[Check]:
    ours = source(template)
    result = []
    for typical in conversations():
        whole = {"messages": typical.messages, "tools": typical.tools or None, "add_generation_prompt": True}
        committed = typical.prompt(template).read_text(encoding="utf-8")
        result.append(Check("committed", whole, ours, committed))
    sampler = Sampler(seed=3)
    for ordinary, tools in ((True, False), (True, True), (False, False), (False, True)):
        for _ in range(SAMPLES):
            conversation = sampler.conversation(ordinary=ordinary, tools=tools)
            expected = render(template, **conversation)
            result.append(Check("as unit tests", conversation, ours, expected))
            if ordinary and not (tools and template == "qwen_coder_tools"):
                result.append(Check("own, tools" if tools else "own, no tools", conversation, own, expected))
    return result


def rendered(packages: Path, work: list[Check]) -> list[str]:
    """The prompts that the transformers in this folder makes."""
    command = [sys.executable, "-S", str(HERE / "render.py")]  # -S: no other packages than these
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    job = json.dumps([{"template": check.source, **check.conversation} for check in work])
    result = subprocess.run(command, input=job, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BenchError(f"PYTHONPATH={packages} {' '.join(command)} failed:\n{result.stderr}")
    prompts: list[str] = json.loads(result.stdout)
    return prompts


def first_difference(expected: str, prompt: str) -> str:
    position = next(i for i, (a, b) in enumerate(zip_longest(expected, prompt)) if a != b)
    around = slice(max(0, position - 60), position + 60)
    return f"at character {position}\n    expected {expected[around]!r}\n    got      {prompt[around]!r}"


def main() -> int:
    own = own_templates()
    work = {template: checks(template, own[template]) for template in TEMPLATES}
    folders = {release: transformers(release) for release in RELEASES}
    say(f"\n{'transformers':<14}{'template':<18}" + "".join(f"{column:>16}" for column in COLUMNS))
    same = True
    for release, packages in folders.items():
        for template, all_checks in work.items():
            prompts = rendered(packages, all_checks)
            differing = [(c, p) for c, p in zip(all_checks, prompts, strict=True) if p != c.expected]
            cells = []
            for column in COLUMNS:
                total = sum(check.column == column for check in all_checks)
                bad = sum(check.column == column for check, _ in differing)
                cells.append(f"{total - bad}/{total}" if total else "-")
            say(f"{release:<14}{template:<18}" + "".join(f"{cell:>16}" for cell in cells))
            for check, prompt in differing[:1]:
                same = False
                say(f"  {check.column}: {first_difference(check.expected, prompt)}")
    say("\nEvery prompt is as it has to be." if same else "\nPrompts differ.")
    return 0 if same else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(fail(error))
