# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight has found for several models of a node, as one list that says which model each entry is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.model_claims import (
    Claimed,
    collisions,
    joined,
    tight_shares,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_capacity import (
    disk_shortages,
    memory_shortages_of_all,
)

Findings = Mapping[str, Any]


def together(models: Sequence[Findings], node: Sequence[str] = ()) -> dict[str, list[str]]:
    """``stops``, ``notes`` and ``summary`` of all models, and what comes of their sharing the node.

    :param models: one mapping for each, of ``name``, ``stops``, ``notes``, ``summary`` and ``claims``. A single
        nameless one is not named, and shares the node with nobody.
    :param node: what has been found for the node as a whole, which is not told again.
    """
    if len(models) == 1 and not models[0]["name"]:
        return {key: list(models[0][key]) for key in ("stops", "notes", "summary")}
    claimed = [Claimed(str(one["name"]), one["claims"]) for one in models]
    alone = {
        reason for one in claimed for reason in (*_disk(_claims([one], "disk")), *_memory(_claims([one], "memory")))
    }
    stops = {
        reason: names
        for reason, names in _by_text(models, "stops").items()
        # What is too much for one model alone is told below, with the needs of all.
        if reason not in alone and reason not in node
    }
    return {
        "stops": [
            *_about(stops),
            *collisions(claimed),
            *_disk(_claims(claimed, "disk")),
            *_memory(_claims(claimed, "memory")),
        ],
        "notes": [*_about(_by_text(models, "notes")), *tight_shares(claimed)],
        "summary": [f"{one['name']} ({', '.join(one['summary'])})" for one in models],
    }


def _by_text(models: Sequence[Findings], key: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in models:
        for text in one[key]:
            names = found.setdefault(str(text).strip(), [])
            if one["name"] not in names:
                names.append(str(one["name"]))
    return found


def _about(texts: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"Model{'s' if len(names) > 1 else ''} {joined(names)}: {text}" for text, names in texts.items()]


def _claims(models: Iterable[Claimed], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(one.model, claim) for one in models for claim in one.of(kind)]


def _disk(claims: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What models share, such as an image, is written once."""
    needs: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for model, claim in claims:
        for need in claim["needs"]:
            owner = "" if need.get("shared") else model
            needs[(str(need["path"]), str(need["what"]), owner)] = need
    return disk_shortages(needs.values(), "\n".join(str(claim["df"]) for _model, claim in claims))


def _memory(claims: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    if not claims:
        return []
    profiles = [claim["profile"] for _model, claim in claims]
    _model, any_claim = claims[0]
    return memory_shortages_of_all(int(any_claim["total"]), profiles, str(any_claim["accelerator"]))
