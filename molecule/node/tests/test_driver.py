# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver after the converge, looked at from outside of Ansible, on every node whatever its past."""

from __future__ import annotations

import re

import pytest
from node import BRANCH, TOOLKIT, driver_packages, packages, past


def test_one_driver_of_one_branch_fully_installed(host):
    # Debian's helpers, such as nvidia-support, have versions of their own and stand in nobody's way.
    found = {name: entry for name, entry in driver_packages(host).items() if re.match(r"\d{3}\.", entry[1])}
    assert found
    wrong = {name: entry for name, entry in found.items() if entry[0] != "ii" or not entry[1].startswith(f"{BRANCH}.")}
    assert not wrong


def test_nothing_is_half_installed(host):
    assert host.check_output("dpkg --audit") == ""
    assert host.run("apt-get check").rc == 0


def test_no_version_is_held_by_a_user_any_more(host):
    held = host.check_output("apt-mark showhold").split()
    assert not [name for name in held if name.endswith(("-535", "-550"))]


def test_the_branch_stays(host):
    """What an upgrade would install, the repository's newest branch being 610."""
    upgrade = host.check_output("apt-get --simulate dist-upgrade")
    assert "(610." not in upgrade
    candidate = host.check_output("apt-cache policy cuda-drivers").split("Candidate: ")[1].split()[0]
    assert candidate.startswith(f"{BRANCH}.")


def test_module_library_and_disk_are_of_one_version(host):
    loaded = host.check_output("cat /sys/module/nvidia/version")
    assert loaded.startswith(f"{BRANCH}.")
    assert host.check_output("modinfo --field version nvidia") == loaded
    assert host.check_output("readlink --canonicalize /usr/lib/x86_64-linux-gnu/libcuda.so.1").endswith(f".so.{loaded}")
    assert loaded in host.check_output("cat /proc/driver/nvidia/version")


def test_cuda_initialises(host):
    probe = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"
    assert host.check_output(f'python3 -c "{probe}"') == "0"


def test_the_gpu_answers_and_is_kept_ready(host):
    answer = host.check_output("nvidia-smi --query-gpu=name,persistence_mode --format=csv,noheader")
    kept_ready = "Disabled" if past(host) == "healthy" else "Enabled"
    assert answer == f"NVIDIA RTX 4000 SFF Ada Generation, {kept_ready}"


def test_nouveau_is_out_now_and_after_the_next_boot(host):
    assert not host.file("/sys/module/nouveau").exists
    kernel = host.check_output("uname -r")
    assert "blacklist nouveau" in host.check_output(f"cat /boot/initrd.img-{kernel}")


def test_headers_follow_the_kernel(host):
    found = packages(host)
    kernel = host.check_output("uname -r")
    assert found[f"linux-headers-{kernel}"][0] == "ii"
    assert found["linux-headers-amd64"][0] == "ii"


def test_no_foreign_package_was_removed(host):
    """Neither the system's packages nor any that are none of NVIDIA's driver."""
    before, now = packages(host, "/srv/standin/packages"), packages(host)
    ours = set(driver_packages(host, "/srv/standin/packages"))
    foreign = {
        name for name, entry in before.items() if entry[0] == "ii" and name not in ours and not TOOLKIT.match(name)
    }
    assert {name for name in foreign if now.get(name, ("",))[0] != "ii"} == set()


def test_a_healthy_driver_is_left_alone(host):
    if past(host) != "healthy":
        pytest.skip("another past")
    assert driver_packages(host) == driver_packages(host, "/srv/standin/packages")
    before = host.check_output("cat /srv/standin/files").splitlines()
    now = host.check_output("cut --delimiter=' ' --fields=1 /srv/standin/files | xargs stat --format '%n %s %Y'")
    assert now.splitlines() == before
    assert packages(host)["nvidia-driver-pinning-595"] == ("ii", "595-1")


def test_a_runfile_is_gone(host):
    if past(host) != "runfile":
        pytest.skip("another past")
    for path in ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer", "/var/lib/nvidia"):
        assert not host.file(path).exists
    for path in ("/usr/bin/nvidia-smi", "/usr/lib/x86_64-linux-gnu/libcuda.so.1"):
        assert host.run(f"dpkg --search {path}").rc == 0
