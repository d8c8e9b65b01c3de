# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence for machines: JUnit XML for CI systems, a textfile for Prometheus' node exporter."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

# XML 1.0 has no place for these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBERS = (
    ("decode_tokens_per_second", "Tokens per second of one request after its first token, median of the runs."),
    ("ttft_seconds", "Seconds to the first token, median of the runs."),
    ("itl_seconds", "Seconds from token to token, median of the runs."),
    ("roofline_tokens_per_second", "Tokens per second that the memory bandwidth allows at the measured context."),
    ("efficiency", "Decode tokens per second as a part of the roofline."),
)


def junit(evidence: Mapping[str, Any]) -> str:
    """JUnit XML: one suite for the probes, one for the throughput; inconclusive is an error, not a failure."""
    host = ".".join(filter(None, (evidence["host"], evidence["name"])))
    root = ElementTree.Element("testsuites", name="toolserve.gpunode.verify")
    probes = ElementTree.SubElement(root, "testsuite", name="tool calls", timestamp=evidence["checked_at"])
    for probe in evidence["tool_calls"].get("probes") or []:
        _case(probes, host, f"{probe['id']} {probe['title']}", probe["verdict"], _told(probe), _seconds(probe))
    if not len(probes):
        _case(probes, host, "the endpoint can be asked", "inconclusive", _first_cause(evidence), 0.0)
    if evidence["throughput"]:
        suite = ElementTree.SubElement(root, "testsuite", name="throughput", timestamp=evidence["checked_at"])
        told = ", ".join(f"{name}: {evidence['throughput'].get(name)}" for name, _help in _NUMBERS)
        _case(suite, host, "decode tokens per second", evidence["throughput"]["verdict"], told, 0.0)
    for suite in root:
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
        suite.set("tests", str(len(suite)))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _case(suite: ElementTree.Element, host: str, name: str, verdict: str, told: str, seconds: float) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=_xml(host), name=_xml(name), time=f"{seconds:.3f}")
    tag = {"fail": "failure", "inconclusive": "error", "skip": "skipped"}.get(verdict)
    if tag:
        ElementTree.SubElement(case, tag, message=_xml(told.partition("\n")[0])).text = _xml(told)
    elif told:
        ElementTree.SubElement(case, "system-out").text = _xml(told)


def _told(probe: Mapping[str, Any]) -> str:
    lines = [f"{finding['class']}: {finding['message']}" for finding in probe.get("findings") or []]
    return "\n".join([*lines, f"expected: {probe.get('expected')}", f"observed: {probe.get('observed')}"])


def _seconds(probe: Mapping[str, Any]) -> float:
    answers = (probe.get("evidence") or {}).values()
    return float(sum(answer.get("seconds") or 0 for answer in answers if isinstance(answer, Mapping)))


def _first_cause(evidence: Mapping[str, Any]) -> str:
    causes = evidence["causes"]
    return f"{causes[0]['symptom']}\n{causes[0]['cause']}\n{causes[0]['fix']}" if causes else "No probe was asked."


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def prometheus_textfile(evidence: Mapping[str, Any]) -> str:
    """For the node exporter's textfile collector. What was not measured is absent, never 0."""
    labels = {"host": evidence["host"], "model": evidence["model"]["served_name"] or ""}
    if evidence["name"]:  # two of a host may serve the same model
        labels["name"] = evidence["name"]
    lines: list[str] = []

    def add(name: str, text: str, value: float, **more: str) -> None:
        if not any(line.startswith(f"# HELP toolserve_verify_{name} ") for line in lines):
            lines.append(f"# HELP toolserve_verify_{name} {text}")
            lines.append(f"# TYPE toolserve_verify_{name} gauge")
        shown = ",".join(f'{key}="{_label(each)}"' for key, each in {**labels, **more}.items())
        lines.append(f"toolserve_verify_{name}{{{shown}}} {value}")

    add("success", "1 if the last verification passed.", int(evidence["verdict"] in ("pass", "warn")))
    checked = calendar.timegm(time.strptime(evidence["checked_at"], "%Y-%m-%dT%H:%M:%SZ"))
    add("timestamp_seconds", "When the last verification was made.", checked)
    for probe in evidence["tool_calls"].get("probes") or []:
        add("probe_success", "1 if the probe passed.", int(probe["verdict"] in ("pass", "warn")), probe=probe["id"])
    for name, text in _NUMBERS:
        value = (evidence["throughput"] or {}).get(name)
        if isinstance(value, (int, float)):
            add(name, text, value)
    for point in (evidence["throughput"] or {}).get("concurrency") or []:
        value = point.get("aggregate_tokens_per_second")
        if value is not None:
            text = "Tokens per second of all requests together."
            add("aggregate_tokens_per_second", text, value, concurrency=str(point["concurrency"]))
    return "\n".join([*lines, ""])


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
