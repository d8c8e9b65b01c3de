# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of vLLM under test, as releases.toml lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tomllib

from tests.bench.console import BenchError

HERE = Path(__file__).parent
TABLE = HERE / "releases.toml"


@dataclass(frozen=True)
class Release:
    name: str
    wheel: str  # its file name on the package index
    sources: str  # what cache.tree_digest says of its Python sources
    packages: str  # the list in packages/ that it runs with
    templates: str  # the release from whose source distribution the example chat templates are taken
    sample: bool = False  # part of `make test`

    @property
    def enforces_calls(self) -> bool:
        """Whether it constrains required, named and strict calls to the parser's own format, unless told not to."""
        return tuple(map(int, self.name.split("."))) >= (0, 24)


def load() -> dict[str, Release]:
    entries = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Release(name, **entry) for name, entry in entries.items()}


def chosen(names: list[str], *, sample: bool) -> list[Release]:
    """Those named, or the sample, or all.

    :raises BenchError: a name is not in the table.
    """
    known = load()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BenchError(f"not in {TABLE.name}: {', '.join(unknown)}. It has {', '.join(known)}.")
    return [
        release for release in known.values() if release.name in names or (not names and (release.sample or not sample))
    ]
