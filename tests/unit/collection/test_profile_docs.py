# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the profiles is the one that follows from them."""

from __future__ import annotations

from tests.profiles import docs, reading


def test_the_page_is_current() -> None:
    """If it is not: make profile-docs."""
    text = docs.PAGE.read_text(encoding="utf-8")
    assert docs.page(text) == text


def test_every_profile_is_in_both_tables() -> None:
    text = docs.PAGE.read_text(encoding="utf-8")
    assert [name for name in reading.names() if text.count(f"| `{name}`") != 2] == []
