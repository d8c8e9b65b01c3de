# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of preflight: every reason to stop as one text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.toolserve.gpunode.plugins.module_utils.terminal_text import printable, wrapped

UNCHANGED = "Nothing was changed on this node."


def numbered(reasons: Sequence[str], outcome: str = UNCHANGED) -> str:
    """The reasons under a headline, each with its number; what two roles say in the same words is told once.

    :param outcome: the sentence that tells what has become of the node.
    """
    each = list(dict.fromkeys(reason.strip() for reason in reasons))
    headline = "1 reason to stop" if len(each) == 1 else f"{len(each)} reasons to stop"
    blocks = [f"{headline}. {outcome}"]
    for number, reason in enumerate(each, 1):
        label = f"{number:>2}. "
        first, *rest = printable(reason).splitlines() or [""]
        lines = wrapped(first, label)
        for line in rest:
            lines += wrapped(line.strip(), " " * (len(label) + len(line) - len(line.lstrip())))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
