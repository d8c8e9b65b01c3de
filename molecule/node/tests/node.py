# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests ask a node, without any code of the collection."""

from __future__ import annotations

import re

BRANCH = "595"
# What belongs to a driver, Debian's, Ubuntu's or NVIDIA's; the container toolkit does not.
DRIVER = re.compile(
    r"(lib)?nvidia-|cuda-drivers|libcuda|firmware-nvidia-gsp|linux-modules-nvidia-|xserver-xorg-video-nvidia|libxnvctrl"
)
TOOLKIT = re.compile(r"nvidia-container|libnvidia-container|nvidia-docker2")
PROOF = "toolserve-bench/gpu-proof"


def packages(host, listing: str | None = None) -> dict[str, tuple[str, str]]:
    """State and version by name, of now or of a listing that prepare.yml has noted."""
    command = r"dpkg-query --show --showformat '${db:Status-Abbrev} ${Package} ${Version}\n'"
    lines = host.check_output(f"cat {listing}" if listing else command).splitlines()
    entries = [line.split() for line in lines]
    return {entry[1]: (entry[0], entry[2] if len(entry) > 2 else "") for entry in entries}


def driver_packages(host, listing: str | None = None) -> dict[str, tuple[str, str]]:
    return {
        name: entry
        for name, entry in packages(host, listing).items()
        if DRIVER.match(name) and not TOOLKIT.match(name) and not name.startswith("nvidia-driver-pinning-")
    }


def past(host) -> str:
    """bench_past of the inventory, or nothing for a virgin node."""
    return host.ansible.get_variables().get("bench_past", "")


def proof_image(host) -> str:
    """The image that bench.json names; loaded where the role has not."""
    (name,) = {
        line
        for line in host.check_output("docker images --format '{{.Repository}}:{{.Tag}}'").splitlines()
        if PROOF in line
    } or {""}
    if not name:
        name = host.check_output("docker load --quiet --input /srv/bench/gpu-proof.tar").split(": ", 1)[1]
    return name
