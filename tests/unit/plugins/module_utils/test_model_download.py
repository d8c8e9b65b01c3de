# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import model_download

GB = 10**9


def look(state: str, phase: str = "", present: int = 0, message: str = "") -> model_download.Download:
    notes = json.dumps({"phase": phase, "message": message, "total": 10 * GB}) if phase else ""
    return model_download.read(state, notes, present)


@pytest.mark.parametrize(
    ("state", "phase", "stops"),
    [
        ("active", "downloading", False),
        ("activating", "retrying", False),  # systemd starts it again in a moment
        ("active", "", False),
        ("inactive", "done", False),
        ("failed", "failed", True),
        ("inactive", "downloading", True),  # a reboot, or stopped by hand
        ("", "", True),
    ],
)
def test_waiting_ends_where_it_is_no_use(state: str, phase: str, stops: bool) -> None:
    assert bool(look(state, phase, message="no space").reason_to_stop) is stops


def test_a_failure_is_told_in_the_words_of_the_download() -> None:
    assert look("failed", "failed", message="The disk is full.").reason_to_stop == "The disk is full."


def test_progress() -> None:
    assert look("active").describe() == "starting"
    assert look("active", "downloading", 4 * GB).describe() == "40 % of 10.0 GB"
    assert look("active", "downloading", 4 * GB).describe(100e6) == "40 % of 10.0 GB, 100.0 MB/s, 1 min left"
    assert look("active", "downloading", 4 * GB).describe(0.0) == "40 % of 10.0 GB, 0.0 MB/s"
    assert look("activating", "retrying", GB, "no route").describe() == "10 % of 10.0 GB; no route"
    assert look("active", "checking", 10 * GB).describe(5.0) == "checking the checksums of 10.0 GB"


@pytest.mark.parametrize("notes", ["{", "[]", "3", ""])
def test_notes_that_are_cut_off_are_as_none(notes: str) -> None:
    assert model_download.read("active", notes, 5) == model_download.Download(True, present=5)
