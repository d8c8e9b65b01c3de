# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of plugins/module_utils/vllm_options.py: written from the releases' own parsers, and held against them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils import vllm_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release

from .releases import HERE, Release
from .results import Category

MODULE = HERE.parents[1] / "plugins" / "module_utils" / "vllm_options.py"
_READ = re.compile(r"^READ = \(.*?\)\n", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^_OPTIONS: .*?^}\n", re.MULTILINE | re.DOTALL)


def check(release: Release, options: list[str]) -> Category:
    """Whether the table says of this release what its own parser says."""
    parsed = parse_release(release.name)
    assert parsed is not None
    wrong = sorted(set(vllm_options.names(parsed)) ^ set(options))
    return Category(len(options) - len(wrong), len(wrong), tuple(f"--{option}" for option in wrong[:30]))


def write(found: Mapping[str, list[str]], module: Path = MODULE) -> None:
    """Put what was found, by release in their order, in the place of the old table."""
    text = module.read_text(encoding="utf-8")
    text = _READ.sub(lambda _: _read(list(found)), text)
    module.write_text(_TABLE.sub(lambda _: _table(found), text), encoding="utf-8")


def _read(releases: list[str]) -> str:
    lines = textwrap.wrap(" ".join(f'"{release}",' for release in releases), 112)
    return "READ = (\n" + "".join(f"    {line}\n" for line in lines) + ")\n"


def _table(found: Mapping[str, list[str]]) -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for option in sorted({option for options in found.values() for option in options}):
        for span in _spans([release for release, options in found.items() if option in options], list(found)):
            rows.setdefault(span, []).append(option)
    order = list(found)
    lines = ["_OPTIONS: dict[tuple[str, str], str] = {"]
    for (first, last), options in sorted(rows.items(), key=lambda row: (order.index(row[0][0]), row[0][1])):
        lines.append(f'    ("{first}", "{last}"): """')
        lines += textwrap.wrap(" ".join(options), 112, break_on_hyphens=False, break_long_words=False)
        lines.append('""",')
    return "\n".join([*lines, "}"]) + "\n"


def _spans(having: list[str], every: list[str]) -> list[tuple[str, str]]:
    """First and last of each unbroken run of releases; "" as the last one where the run reaches the newest."""
    spans: list[tuple[str, str]] = []
    for release in having:
        position = every.index(release)
        last = "" if release == every[-1] else release
        if spans and position and spans[-1][1] == every[position - 1]:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((release, last))
    return spans
