# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that stops before it has removed anything leaves apt as it was, for the next "apt upgrade" too."""

from __future__ import annotations

import pytest
from nodes import each_node, on, play

LISTING = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Want}\n")
SOURCES = ("sh", "-c", "cd /etc/apt; ls preferences.d sources.list.d; cat sources.list.d/*")


# One with a source of NVIDIA's that the role puts aside, one without.
@pytest.mark.parametrize("node", each_node("nvidia_docker2", "ubuntu_leftovers"))
def test_a_branch_that_is_nowhere(node: str) -> None:
    packages, sources = on(node, *LISTING), on(node, *SOURCES)
    done = play(node, "--extra-vars", "nvidia_driver_branch=999")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "expected was 999.*" in said
    assert "The repository and the pin that this role had added were taken back" in said
    assert on(node, *LISTING) == packages
    assert on(node, *SOURCES) == sources
    assert "nvidia.com" not in on(node, "apt-cache", "policy", "cuda-drivers")
