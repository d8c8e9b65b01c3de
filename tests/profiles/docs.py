# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the generated parts of docs/profiles.md: `python -m tests.profiles.docs`."""

from __future__ import annotations

from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.context_plan import LEAST_AUTO
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import NVML
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_memory import GpuMemory, Server
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import STREAMS_WHOLE

from . import reading

PAGE = reading.ROOT / "docs" / "profiles.md"
CARDS_GIB = (20, 24, 48, 80)
RELEASE = (0, 32, 0)


def page(text: str) -> str:
    """The page with its generated parts as the profiles are now."""
    profiles = [reading.read(name) for name in reading.names()]
    parts = {"models": _models(profiles), "tool calls": _tool_calls(profiles), "remarks": _remarks(profiles)}
    for name, part in parts.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, rest = text.split(begin)
        text = f"{before}{begin}{part}\n{end}{rest.split(end)[1]}"
    return text


def _models(profiles: list[dict[str, Any]]) -> str:
    rows = [
        ["profile", "model", "vLLM", "GPU", *(f"{card} GB" for card in CARDS_GIB)],
        ["---"] * 4 + ["---:"] * len(CARDS_GIB),
    ]
    for profile in profiles:
        requirements = profile.get("requirements") or {}
        gpu = f"{requirements['compute_capability']:.1f}, {_gpus(profile)}" if requirements else "CPU"
        contexts = [_context(profile, card) for card in CARDS_GIB]
        rows.append([f"`{profile['name']}`", profile["summary"], profile["vllm"]["minimum_release"], gpu, *contexts])
    return _table(rows)


def _gpus(profile: dict[str, Any]) -> str:
    count = _count(profile)
    memory = f"{profile['requirements']['gpu_memory_gib']:g} GiB"
    return memory if count == 1 else f"{count} x {memory}"


def _count(profile: dict[str, Any]) -> int:
    return int(profile["vllm"]["arguments"].get("tensor-parallel-size", 1))


def _context(profile: dict[str, Any], card: int) -> str:
    """The longest context on as many cards of this size as the profile spreads the model over."""
    if "architecture" not in profile:
        return ""
    server = Server(profile, RELEASE, profile["vllm"]["arguments"], {})
    gpu = GpuMemory.of({"memory_total_bytes": card * GIB, "sources": {"memory_total_bytes": NVML}})
    if gpu is None:
        return ""
    tokens = min(server.likely(gpu).largest_context(server.kv_cache(gpu)), profile["context"]["model_limit"])
    if tokens < min(LEAST_AUTO, profile["context"]["maximum"]):
        return "-"
    text = f"{tokens:,}"
    if any(path.startswith(("architecture.", "bytes.")) for path in profile.get("unverified", [])):
        text = f"≈ {text}"
    return f"**{text}**" if tokens >= profile["context"]["maximum"] else text


def _tool_calls(profiles: list[dict[str, Any]]) -> str:
    rows = [
        [
            "profile",
            "parser",
            "chat template",
            "reasoning",
            "parallel",
            "tool_choice",
            "streams since",
            "context asked",
            "answer",
        ],
        ["---"] * 9,
    ]
    for profile in profiles:
        tool_calls, capabilities, context = profile["tool_calls"], profile["capabilities"], profile["context"]
        template = tool_calls["chat_template"]
        rows.append(
            [
                f"`{profile['name']}`" + (" (experimental)" if profile.get("experimental") else ""),
                f"`{tool_calls['parser']}`" + ("" if tool_calls.get("parser_plugin") else " (vLLM's)"),
                f"`{template}`" if template else _no_template(profile),
                f"`{tool_calls['reasoning_parser']}`" if tool_calls.get("reasoning_parser") else "",
                "yes" if capabilities["parallel"] else "no",
                ", ".join(capabilities["tool_choice"]),
                _streams_since(tool_calls["parser"], profile["vllm"]["minimum_release"]),
                f"{context['maximum']:,}",
                f"{context['output']:,}",
            ]
        )
    return _table(rows)


def _streams_since(parser: str, floor: str) -> str:
    """The first release in which streamed calls arrive whole and that serves the model."""
    if parser not in STREAMS_WHOLE:
        return "?"
    since, first = STREAMS_WHOLE[parser], parse_release(floor)
    if since is None or first is None:
        return "none"
    return floor if since <= first else ".".join(map(str, since))


def _no_template(profile: dict[str, Any]) -> str:
    return "none (Harmony)" if profile["tool_calls"]["parser"] == "openai" else "own"


def _remarks(profiles: list[dict[str, Any]]) -> str:
    """By family, what all its sizes share once."""
    lines: list[str] = []
    for family in sorted({profile.get("family", profile["name"]) for profile in profiles}):
        members = [profile for profile in profiles if profile.get("family", profile["name"]) == family]
        shared = reading.family(family) if "family" in members[0] else {}
        told = _told(shared)
        for profile in members:
            own = _told(reading.own(profile["name"]))
            told += [f"`{profile['name']}`: {remark}" if shared else remark for remark in own]
        if told:
            lines += [f"### {family}", "", *(f"- {remark}" for remark in told), ""]
    return "\n".join(lines).rstrip()


def _told(facts: dict[str, Any]) -> list[str]:
    """What a file says for people, as sentences."""
    told = [f"{issue['issue'].rstrip('.')} ({issue['source']})." for issue in facts.get("known_issues", [])]
    told += facts.get("notes", [])
    unverified = ", ".join(f"`{path}`" for path in facts.get("unverified", []))
    return [*told, f"Not checked against a source: {unverified}."] if unverified else told


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
