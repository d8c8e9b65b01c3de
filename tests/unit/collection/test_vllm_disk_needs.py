# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the image is still to take of the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).parents[3] / "roles/vllm"
GB = 10**9


@pytest.mark.parametrize(
    ("source", "there", "state", "expected"),
    [
        ("pull", False, "inactive", 35 * GB),
        ("pull", False, "", 35 * GB),  # no systemd, or it did not say
        ("pull", False, "failed", 35 * GB),
        ("pull", False, "active", 0),
        ("pull", False, "activating", 0),
        ("pull", True, "inactive", 0),
        ("archive", False, "active", 2 * GB),  # of an earlier setting
    ],
)
def test_an_image_that_is_being_pulled_is_not_counted_once_more(
    source: str, there: bool, state: str, expected: int
) -> None:
    loader = DataLoader()
    known = {
        **loader.load_from_file(str(ROLE / "vars/main/preflight.yml"), trusted_as_template=True),
        **loader.load_from_file(str(ROLE / "vars/main/pull.yml"), trusted_as_template=True),
        "vllm_image_source": source,
        "vllm_image_disk_gb": 35,
        "__vllm_archive": {"stat": {"size": GB}},
        "__vllm_image_is_there": there,
        "__vllm_pull_state": {"stdout": state},
    }
    need = known["__vllm_own_disk_needs"][0]
    assert int(Templar(loader=loader, variables=known).template(need["bytes"])) == expected
