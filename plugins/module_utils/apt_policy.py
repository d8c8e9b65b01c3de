# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What apt would install, what else it could, and who publishes it, as apt-cache policy prints it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask

_NONE = "(none)"
_SOURCE = re.compile(r"^ *-?\d+ (?P<source>\S+ .+)$")
_RELEASE = re.compile(r"^ +release (?P<fields>.*)$")
_VERSION = re.compile(r"^ (?:\*\*\*|   ) (?P<version>\S+)(?: -?\d+)?$")


@dataclass(frozen=True)
class Policy:
    """``versions`` maps each known version to the origins that publish it; none for one that is only installed."""

    installed: str | None = None
    candidate: str | None = None
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(names: Iterable[str], ask: Ask) -> dict[str, Policy]:
    """By name; names that apt does not know have an empty policy."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    known = parse(ask(("apt-cache", "policy", *wanted)), origins(ask(("apt-cache", "policy"))))
    return {name: known.get(name, Policy()) for name in wanted}


def origins(sources: str) -> dict[str, str]:
    """The origin (``o=``) of each package list, from apt-cache policy without names."""
    found: dict[str, str] = {}
    source = ""
    for line in sources.splitlines():
        listed, release = _SOURCE.match(line), _RELEASE.match(line)
        if listed:
            source = listed["source"]
        elif release:
            # A label may hold a comma, an origin does not.
            fields = dict(part.split("=", 1) for part in release["fields"].split(",") if "=" in part)
            found[source] = fields.get("o", "")
    return found


def parse(policies: str, source_origins: Mapping[str, str]) -> dict[str, Policy]:
    """From apt-cache policy with names."""
    found: dict[str, Policy] = {}
    for block in re.split(r"^(?=\S+:$)", policies, flags=re.MULTILINE):
        name, _colon, rest = block.partition(":\n")
        if rest:
            found[name] = _policy(rest, source_origins)
    return found


def _policy(block: str, source_origins: Mapping[str, str]) -> Policy:
    values = dict(re.findall(r"^  (Installed|Candidate): (.+)$", block, flags=re.MULTILINE))
    versions: dict[str, tuple[str, ...]] = {}
    current = ""
    for line in block.partition("Version table:\n")[2].splitlines():
        version, source = _VERSION.match(line), _SOURCE.match(line)
        if version:
            current = version["version"]
            versions[current] = ()
        elif source and current:
            origin = source_origins.get(source["source"], "")
            if origin and origin not in versions[current]:
                versions[current] += (origin,)
    return Policy(_known(values.get("Installed")), _known(values.get("Candidate")), versions)


def _known(version: str | None) -> str | None:
    return None if version in (None, _NONE) else version
