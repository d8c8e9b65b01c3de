# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A check as tool_call_check returns it; the module's documentation says what each field means."""

from __future__ import annotations

from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import report
from ansible_collections.toolserve.gpunode.plugins.module_utils.diagnosis import diagnose
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Outcome


def results(outcome: Outcome) -> dict[str, Any]:
    """Everything, the summaries included."""
    causes = diagnose(outcome)
    told = report.build(outcome, causes)
    return {
        "passed": outcome.passed,
        "probes": [result.as_dict() for result in outcome.results],
        "causes": [cause.as_dict() for cause in causes],
        "server": outcome.state.as_dict(),
        "model": outcome.model,
        "seed": outcome.options.seed,
        "summary": report.as_text(told),
        "summary_markdown": report.as_markdown(told),
    }
