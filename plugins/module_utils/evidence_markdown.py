# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence for people: what was verified, then what each check has to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cause_text
from ansible_collections.toolserve.gpunode.plugins.module_utils.markdown_text import escaped

_VERDICTS = {
    "pass": "passed",
    "warn": "passed, with warnings",
    "fail": "FAILED",
    "inconclusive": "inconclusive: nothing has been proven either way",
}


def markdown(evidence: Mapping[str, Any], sections: Iterable[str]) -> str:
    """A page.

    :param sections: the ``summary_markdown`` of each check that ran; they begin with headings of the second level.
    """
    which = " ".join(filter(None, (evidence["host"], evidence["name"])))
    lines = [f"# {escaped(which)}: {_VERDICTS[evidence['verdict']]}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {escaped(value)} |" for name, value in _facts(evidence) if value]
    shown = [f"{section.strip()}\n" for section in sections if section.strip()]
    return "\n".join([*lines, "", *_causes(evidence, "".join(shown)), *shown])


def _causes(evidence: Mapping[str, Any], told: str) -> list[str]:
    """What no check could see alone."""
    causes = [cause for cause in evidence["causes"] if escaped(cause["symptom"]) not in told]
    if not causes:
        return []
    lines = ["## What all sources together say", *(line for cause in causes for line in cause_text.markdown(cause))]
    return [*lines, ""]


def _facts(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    endpoint, model = evidence["endpoint"] or {}, evidence["model"]
    container, switch = evidence["container"] or {}, evidence.get("switch") or {}
    facts = [
        ("checked", evidence["checked_at"]),
        ("endpoint", str(endpoint.get("base_url") or "")),
        ("server", f"vLLM {endpoint['version']}" if endpoint.get("version") else ""),
        ("model", _model(model)),
        ("image", str(container.get("image") or "")),
        ("image digest", str(container.get("image_digest") or container.get("image_id") or "")),
        *((name, value) for name, value in (container.get("files") or {}).items()),
        ("driver", str(evidence["driver"] or "")),
        ("nothing answered for", f"{switch['downtime_seconds']} s" if switch.get("downtime_seconds") else ""),
        ("upgrade taken back because", str(switch.get("rolled_back_because") or "")),
    ]
    return facts + [(f"GPU {position}", _gpu(gpu)) for position, gpu in enumerate(evidence["gpus"])]


def _model(model: Mapping[str, Any]) -> str:
    known = [model.get("served_name"), model.get("id")]
    names = " = ".join(str(name) for name in dict.fromkeys(known) if name)
    revision = model.get("revision")
    return f"{names}, revision {revision}" if revision else names


def _gpu(gpu: Mapping[str, Any]) -> str:
    parts = [str(gpu.get("name") or "unknown")]
    if memory := gpu.get("memory_total_bytes"):
        parts.append(f"{memory / 2**30:.1f} GiB")
    if bandwidth := gpu.get("peak_bandwidth_bytes_per_second"):
        source = (gpu.get("sources") or {}).get("peak_bandwidth_bytes_per_second")
        parts.append(f"{bandwidth / 1e9:.0f} GB/s{f' ({source})' if source else ''}")
    return ", ".join(parts)
