# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    evidence,
    evidence_formats,
    evidence_markdown,
    verification_causes,
)


def evidence_document(tool_calls: dict[str, Any], host: str, checked_at: str, **more: Any) -> dict[str, Any]:
    return evidence.build(host, checked_at, tool_calls, **more)


def evidence_causes(document: dict[str, Any], told: list[dict[str, str]] | None = None) -> str:
    return verification_causes.as_text(document["causes"], told or [])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "evidence": evidence_document,
            "evidence_causes": evidence_causes,
            "evidence_junit": evidence_formats.junit,
            "evidence_markdown": evidence_markdown.markdown,
            "evidence_prometheus": evidence_formats.prometheus_textfile,
        }
