# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model profile is: data checked against profiles/schema.json, with the user's overrides laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import json_schema

Profile = dict[str, Any]


class ProfileError(ValueError):
    """A profile that cannot be used; the message says what is wrong with it and where to look."""


def merged(profile: Mapping[str, Any], overrides: Mapping[str, Any]) -> Profile:
    """The profile with the overrides laid over it, mapping by mapping; other values are replaced whole."""
    result = dict(profile)
    for key, value in overrides.items():
        below = result.get(key)
        both_mappings = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both_mappings else value  # type: ignore[arg-type]
    return result


# Lists of statements, of which a profile's own come on top of its family's.
_ADDED_UP = ("known_issues", "notes", "sources", "unverified")


def of_family(profile: Mapping[str, Any], family: Mapping[str, Any]) -> Profile:
    """The profile laid over what it shares with the other sizes of its family."""
    added_up = {key: [*family.get(key, []), *profile.get(key, [])] for key in _ADDED_UP}
    return merged(merged(family, profile), {key: every for key, every in added_up.items() if every})


def reasons(profile: Mapping[str, Any]) -> bool:
    """Whether the model writes down its reasoning, which its reasoning parser takes out of the answers."""
    return bool((profile.get("tool_calls") or {}).get("reasoning_parser"))


def checked(profile: Any, schema: Mapping[str, Any], source: str) -> Profile:
    """The profile, when it conforms to the schema.

    :param source: where it comes from, for the message.
    :raises ProfileError: it does not conform; every problem is named with its place.
    """
    if not isinstance(profile, Mapping):
        raise ProfileError(
            f"The profile {source} holds no mapping of settings. See profiles/pocket.yml for one that does."
        )
    problems = json_schema.errors(dict(profile), schema)
    problems += [] if problems else _contradictions(profile)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ProfileError(
            f"The profile {source} cannot be used:\n{listed}\nprofiles/schema.json says what each field means."
        )
    return dict(profile)


def _contradictions(profile: Mapping[str, Any]) -> list[str]:
    """What no schema can say: fields that exclude each other."""
    context, tool_calls = profile["context"], profile["tool_calls"]
    found = []
    if context["output"] >= context["maximum"]:
        found.append(
            f"$.context.output: {context['output']} tokens of output leave no room for a prompt "
            f"in a context of {context['maximum']}"
        )
    if tool_calls.get("parser_plugin") is None and tool_calls["parser"].startswith("qwen_tools"):
        found.append(
            "$.tool_calls.parser_plugin: the parser qwen_tools comes from the plugin qwen_tools.py; name it here"
        )
    found += [
        f"$.unverified: {path} is no field of this profile"
        for path in profile.get("unverified", [])
        if not _has(profile, path)
    ]
    return found


def _has(profile: Mapping[str, Any], path: str) -> bool:
    """Whether there is a field at a path like architecture.layers."""
    place: Any = profile
    for step in path.split("."):
        if not isinstance(place, Mapping) or step not in place:
            return False
        place = place[step]
    return True
