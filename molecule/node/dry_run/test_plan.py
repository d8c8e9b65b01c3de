# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--check`` says on nodes with a past and on virgin ones: the whole plan. And it leaves the node as it was.

side_effect.yml runs this before anything is converged.
"""

from __future__ import annotations

import json
import re

import pytest
from nodes import NODES, each_node, on, past, play

# What looking itself leaves: Ansible's temporary folder, caches, locks, logs; and clocks of systemd's timers.
TRACES = re.compile(
    r"/(root/\.ansible.*|(tmp|run|var/tmp|var/log|var/cache|var/lib/systemd|srv/standin)(/.*)?|.*/__pycache__(/.*)?"
    r"|var/lib/dpkg/lock.*)"
)
BEFORE = "/srv/standin/before-the-dry-run"
VERSION = re.compile(r"(535|550|570|610)\.")
PIN = r"Pin: /etc/apt/preferences\.d/toolserve-gpunode-nvidia-driver"
INSTALL = r"Install: cuda-drivers 595\.\*"
STAYS_IN_MEMORY = (
    r"Reboot: The kernel module 535\.288\.01 is loaded and stays in memory while branch 595 takes its place"
)
UBUNTU_IN_THE_WAY = r"\(branch {} packaged by Ubuntu, in the way of branch 595 packaged by NVIDIA\)"
# Each line of a plan matches one of these, each of these a line of the plan; the purged packages are counted besides.
PLANS = {
    "": [
        r"No driver is installed\.",
        PIN,
        r"Headers: linux-headers-\S+",
        INSTALL,
    ],
    "ubuntu_leftovers": [
        r"The driver needs repair\.",
        r"Conflict: .*nvidia-dkms-550 \(iF\).*dpkg has begun",
        r"Conflict: .*",
        r"Unhold: libnvidia-compute-550",
        r"Purge: .*nvidia-dkms-550.* " + UBUNTU_IN_THE_WAY.format(550),
        r"Purge: .*\(branch 535 packaged by Ubuntu, removed before, but its configuration is left\)",
        r"Purge: .*nvidia-firmware-535-535\.288\.01 " + UBUNTU_IN_THE_WAY.format(535),
        r"Remove the DKMS tree: nvidia/550\.163\.01",
        PIN,
        INSTALL,
        STAYS_IN_MEMORY,
    ],
    "nvidia_docker2": [
        r"The driver needs repair\.",
        r"Conflict: .*cuda-drivers \(iU\).*dpkg has begun",
        r"Conflict: packages of branch 610 packaged by NVIDIA and branch 535 packaged by Ubuntu",
        r"Conflict: driver 535\.288\.01: the CUDA release",
        r"Let dpkg finish: dkms",
        r"Purge: cuda-drivers, .*\(branch 610 packaged by NVIDIA, in the way",
        r"Purge: .*libnvidia-compute-535.* " + UBUNTU_IN_THE_WAY.format(535),
        r"Purge: .*nvidia-persistenced.*\(of branch 610, and dpkg has not finished with it",
        r"Purge: nvidia-kernel-common-535 \(branch 535 packaged by Ubuntu, removed before",
        r"Put aside: /etc/apt/sources\.list\.d/cuda\.list: another source",
        PIN,
        INSTALL,
        STAYS_IN_MEMORY,
    ],
    # Not even a warning: open kernel modules that are there are what "auto" means.
    "healthy": [r"The driver is sound and stays as it is\."],
}


def files(node: str, *conditions: str) -> set[str]:
    """All files of a node that fulfil them, without traces."""
    return {path for path in on(node, "find", "/", "-xdev", *conditions).splitlines() if not TRACES.fullmatch(path)}


def plan_in(output: str) -> list[str]:
    shown = output[output.index("Plan | Show it]") :]
    lines: list[str] = json.JSONDecoder().raw_decode(shown[shown.index("{") :])[0]["msg"]
    return lines


def purged(plan: list[str]) -> set[str]:
    lists = [line.removeprefix("Purge: ").partition(" (")[0] for line in plan if line.startswith("Purge: ")]
    return {name for names in lists for name in names.split(", ")}


@pytest.mark.parametrize("node", each_node())
def test_a_dry_run_tells_the_whole_plan_and_changes_nothing(node: str) -> None:
    on(node, "touch", BEFORE)
    before = files(node)
    done = play(node, "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(node) ^ before == set()
    assert files(node, "-newercm", BEFORE, "-not", "-type", "d") == set()

    plan = plan_in(done.stdout)
    dpkg = on(node, "dpkg-query", "--show", "--showformat", "${Package} ${Version}\n")
    there = {
        name for name, _space, version in (line.partition(" ") for line in dpkg.splitlines()) if VERSION.match(version)
    }
    assert purged(plan) <= there
    if past(node) not in PLANS:
        return
    assert purged(plan) == there
    expected = [
        *PLANS[past(node)],
        *([r"Reboot: The driver nouveau is loaded"] if "bench_gpu_nouveau" in NODES[node] else []),
    ]
    for line in plan:
        assert any(re.match(pattern, line) for pattern in expected), line
    for pattern in expected:
        assert any(re.match(pattern, line) for line in plan), (pattern, plan)
