# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the contract tests, and the page that holds one."""

from __future__ import annotations

import pytest

from tests.bench.console import BenchError
from tests.contract import docs, releases
from tests.contract.results import Category, Result, failures, markdown, table

OK = Result("0.9.2", {"whole": Category(5, 0, ())})
BAD = Result("0.33.0", {"whole": Category(3, 2, ("case, cut: seen",)), "grammar": Category(1, 0, ())})
BROKEN = Result("0.24.0", {}, "exit code 1")


def test_a_release_fails_with_a_failed_check_without_checks_and_when_it_breaks() -> None:
    assert [result.failed for result in (OK, BAD, BROKEN, Result("0.1", {}))] == [False, True, True, True]


def test_the_table_shows_every_category_of_every_release() -> None:
    assert [line.split() for line in table([OK, BAD, BROKEN]).splitlines()] == [
        ["vLLM", "whole", "grammar"],
        ["0.9.2", "5", "-", "ok"],
        ["0.33.0", "3/5", "1", "FAILED"],
        ["0.24.0", "-", "-", "broken"],
    ]


def test_the_page_shows_the_same() -> None:
    assert markdown([OK, BAD]).splitlines()[2:] == ["| 0.9.2 | 5 | - |", "| 0.33.0 | 3/5 | 1 |"]


def test_failures_are_listed_with_what_was_left_out() -> None:
    assert failures(BAD).splitlines() == ["0.33.0: whole: case, cut: seen", "0.33.0: whole: and 1 more"]
    assert failures(BROKEN) == "0.24.0: exit code 1"


def test_releases_are_chosen_by_name_as_a_sample_or_all() -> None:
    assert [release.name for release in releases.chosen(["0.32.0"], sample=False)] == ["0.32.0"]
    assert len(releases.chosen([], sample=True)) == 3
    assert len(releases.chosen([], sample=False)) == len(releases.load())
    with pytest.raises(BenchError, match="not in"):
        releases.chosen(["0.1"], sample=False)


def test_the_page_lists_the_releases_under_test() -> None:
    assert docs.listed() == list(releases.load())
