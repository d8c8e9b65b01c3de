# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what was seen to what is wrong: symptom, cause, fix.

A rule looks at the whole outcome of a check and names a cause, or nothing. Rules are tried in order, the most
certain first, so that the first cause of a report is the one to act on. A new rule goes into the file of its
subject and into the list here.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.toolserve.gpunode.plugins.module_utils import rules_promises as promises
from ansible_collections.toolserve.gpunode.plugins.module_utils import rules_requests as requests
from ansible_collections.toolserve.gpunode.plugins.module_utils import rules_tool_calls as calls
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Outcome

RULES: tuple[Callable[[Outcome], Cause | None], ...] = (
    requests.connection,
    requests.api_key,
    requests.model_name,
    requests.missing_flags,
    requests.context,
    requests.server_failure,
    promises.not_healthy,
    promises.reasoning_parameters,
    calls.markup_left,
    requests.broken_stream,
    calls.template_without_tools,
    promises.template_recursion,
    promises.history_refused,
    promises.choice_refused,
    promises.concurrency,
    promises.cut_call,
    promises.tool_id,
    calls.bad_arguments,
    calls.lost_in_stream,
    calls.truncated,
    promises.choice_ignored,
    promises.context_mismatch,
    promises.unprotected,
    calls.broken_protocol,
    calls.one_call_only,
    calls.never_calls,
    calls.copied_badly,
    calls.wrong_answer,
)
# What is worth knowing although the check has passed: some client will run into it.
ADVICE = (promises.reasoning_parameters, promises.parser_faults)


def diagnose(outcome: Outcome) -> list[Cause]:
    """Every cause that the outcome points to, the best first; advice where it has passed."""
    rules = ADVICE if outcome.passed else RULES
    return [cause for rule in rules if (cause := rule(outcome)) is not None]
