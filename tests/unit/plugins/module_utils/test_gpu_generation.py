# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_generation import generation
from ansible_collections.toolserve.gpunode.plugins.module_utils.memory_bandwidth import KNOWN_GPUS


@pytest.mark.parametrize(
    ("pci_id", "name", "open_possible", "proprietary_possible"),
    [
        ("10de:1180", "older than Maxwell", False, True),  # GTX 680
        ("10de:13c0", "Maxwell", False, True),  # GTX 980
        ("10de:17fd", "Maxwell", False, True),  # Tesla M40
        ("10de:15f8", "Pascal", False, True),  # Tesla P100
        ("10de:1b38", "Pascal", False, True),  # Tesla P40
        ("10de:1db4", "Volta", False, True),  # Tesla V100
        ("10de:1eb8", "Turing", True, True),  # T4
        ("10de:2182", "Turing", True, True),  # GTX 1660 Ti
        ("10de:20b0", "Ampere", True, True),  # A100
        ("10de:2236", "Ampere", True, True),  # A10
        ("10de:25b6", "Ampere", True, True),  # A2
        ("10de:2330", "Hopper", True, True),  # H100
        ("10de:2335", "Hopper", True, True),  # H200
        ("10de:2342", "Grace Hopper", True, False),  # GH200
        ("10de:26b9", "Ada Lovelace", True, True),  # L40S
        ("10de:27b0", "Ada Lovelace", True, True),  # RTX 4000 SFF Ada
        ("10de:2901", "Blackwell", True, False),  # B200
        ("10de:2b85", "Blackwell", True, False),  # RTX 5090
        ("10de:2bb4", "Blackwell", True, False),  # RTX PRO 6000 Max-Q
        ("10de:2e12", "Blackwell", True, False),  # GB10
        ("10de:3182", "Blackwell", True, False),  # B300
        ("10de:3021", "newer than Blackwell", True, False),
        ("10de:4000", "newer than Blackwell", True, False),
    ],
)
def test_generations(pci_id: str, name: str, open_possible: bool, proprietary_possible: bool) -> None:
    found = generation(pci_id)
    assert found.generation.name == name
    assert (found.generation.open_possible, found.generation.proprietary_possible) == (
        open_possible,
        proprietary_possible,
    )
    assert bool(found.assumed) == name.startswith("newer")


def test_every_gpu_of_the_bandwidth_table_is_of_a_known_generation() -> None:
    assert not [gpu.name for gpu in KNOWN_GPUS if generation(gpu.pci_id).assumed]


def test_last_branches() -> None:
    assert {generation(pci_id).generation.last_branch for pci_id in ("10de:13c0", "10de:1b38", "10de:1db4")} == {580}
    assert generation("10de:1eb8").generation.last_branch is None
