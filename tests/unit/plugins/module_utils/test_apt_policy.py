# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_policy import Policy, origins, parse, read

RECORDED = Path(__file__).parent / "recorded/nvidia"
# As apt prints it for a pinned name of which several branches are there.
PINNED = """nvidia-open:
  Installed: (none)
  Candidate: 595.91.07-1ubuntu1
  Package pin: 595.91.07-1ubuntu1
  Version table:
     610.57.04-1ubuntu1 500
        500 http://127.0.0.1:8765/cuda/ubuntu2404/x86_64  Packages
     595.91.07-1ubuntu1 1001
        500 http://127.0.0.1:8765/cuda/ubuntu2404/x86_64  Packages
"""
LISTS = """Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://127.0.0.1:8765/cuda/ubuntu2404/x86_64  Packages
     release o=NVIDIA,l=NVIDIA CUDA,c=
     origin 127.0.0.1
Pinned packages:
     nvidia-open -> 595.91.07-1ubuntu1 with priority 1001
"""


def test_a_recorded_debian() -> None:
    known = origins((RECORDED / "debian-12.policy-sources").read_text())
    assert set(known.values()) == {"", "Debian"}
    policy = parse((RECORDED / "debian-12.policy").read_text(), known)
    assert policy["libcuda1"] == Policy("535.261.03-1", "535.261.03-1", {"535.261.03-1": ("Debian",)})
    assert policy["linux-headers-amd64"].installed is None
    assert "cuda-drivers" not in policy


def test_a_pinned_package_of_nvidias() -> None:
    policy = parse(PINNED, origins(LISTS))["nvidia-open"]
    assert (policy.installed, policy.candidate) == (None, "595.91.07-1ubuntu1")
    assert policy.versions == {"610.57.04-1ubuntu1": ("NVIDIA",), "595.91.07-1ubuntu1": ("NVIDIA",)}


def test_names_that_apt_does_not_know_have_an_empty_policy() -> None:
    def ask(command: Sequence[str]) -> str:
        return PINNED if "nvidia-open" in command else LISTS

    policy = read(["nvidia-open", "nonsense"], ask)
    assert policy["nonsense"] == Policy()
    assert policy["nvidia-open"].candidate == "595.91.07-1ubuntu1"
