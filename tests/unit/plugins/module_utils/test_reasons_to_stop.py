# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.reasons_to_stop import numbered


def test_each_reason_has_its_number_and_fits_a_terminal() -> None:
    text = numbered(["Seen. " + "Why it matters. " * 12, "Other.", *(f"Reason {number}." for number in range(3, 12))])
    assert text.startswith("11 reasons to stop. Nothing was changed on this node.\n\n 1. Seen.")
    assert "\n\n 2. Other.\n" in text and text.endswith("\n\n11. Reason 11.")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[3].startswith("    matters")


def test_one_reason_is_one() -> None:
    assert numbered(["It is so."]) == "1 reason to stop. Nothing was changed on this node.\n\n 1. It is so."


def test_what_two_roles_say_in_the_same_words_is_told_once() -> None:
    assert numbered(["No GPU.", "No key.", "No GPU. "]).startswith("2 reasons to stop.")


def test_lists_inside_a_reason_keep_their_lines() -> None:
    assert numbered(["The profile is wrong:\n  - a\n  - b\nRead on."]).endswith(
        " 1. The profile is wrong:\n      - a\n      - b\n    Read on."
    )


def test_nothing_steers_the_terminal() -> None:
    assert "\x1b" not in numbered(["\x1b[2J gone"])


def test_what_has_become_of_the_node_is_told() -> None:
    assert numbered(["It is so."], "Lists were read.") == "1 reason to stop. Lists were read.\n\n 1. It is so."
