# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cause as every report tells it: what was seen, what it means, what to do."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.toolserve.gpunode.plugins.module_utils.markdown_text import escaped
from ansible_collections.toolserve.gpunode.plugins.module_utils.terminal_text import wrapped


def terminal(cause: Mapping[str, str]) -> list[str]:
    """Lines of at most 100 columns, the first one empty."""
    return [
        "",
        *wrapped(cause["symptom"], "What was seen: "),
        *wrapped(f"{cause['cause']} ({cause['confidence']})", "Cause:         "),
        *wrapped(cause["fix"], "Fix:           "),
    ]


def markdown(cause: Mapping[str, str]) -> list[str]:
    """Lines of a list, the first one empty."""
    return [
        "",
        f"- **What was seen:** {escaped(cause['symptom'])}",
        f"- **Cause:** {escaped(cause['cause'])} ({cause['confidence']})",
        f"- **Fix:** {escaped(cause['fix'])}",
    ]
