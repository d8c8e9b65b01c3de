# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The preferences that hold apt to one branch of the driver.

apt takes a version pin only for named packages or patterns: ``Package: *`` with ``Pin: version`` is ignored without a
word. Above 1000 a pin may also downgrade. The pin has to be on disk before the step that installs: apt reads it once.
"""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import DEBIAN, NVIDIA, UBUNTU
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import Distribution, Target

PATH = "/etc/apt/preferences.d/toolserve-gpunode-nvidia-driver"

# Only versions of the branch are pinned, so that the container toolkit among nvidia-* is left as it is.
_DRIVER = (
    "cuda-drivers* nvidia-* libnvidia-* xserver-xorg-video-nvidia* libcuda1 libcudadebugger1 firmware-nvidia-gsp "
    "libegl-nvidia* libgl1-nvidia* libgles-nvidia* libglx-nvidia* libnvcuvid1 libnvoptix1 libnvsdm* libxnvctrl*"
)
# Ubuntu's packages have the branch in their names, with or without -server and -open behind it.
_UBUNTUS = (
    "nvidia-driver-[0-9]* nvidia-dkms-[0-9]* nvidia-kernel-common-[0-9]* nvidia-kernel-source-[0-9]* "
    "nvidia-utils-[0-9]* nvidia-compute-utils-[0-9]* nvidia-headless-[0-9]* nvidia-headless-no-dkms-[0-9]* "
    "nvidia-firmware-[0-9]* libnvidia-*-[0-9][0-9][0-9] libnvidia-*-[0-9][0-9][0-9]-server "
    "xserver-xorg-video-nvidia-[0-9]* linux-modules-nvidia-[0-9]* linux-objects-nvidia-[0-9]* "
    "linux-signatures-nvidia-[0-9]*"
)
_NVIDIAS = (
    "cuda-drivers* nvidia-open* nvidia-driver* nvidia-dkms* nvidia-kernel* nvidia-utils* nvidia-compute-utils* "
    "nvidia-firmware* nvidia-persistenced nvidia-modprobe nvidia-settings libnvidia-compute* libnvidia-cfg1* "
    "libnvidia-gl* libcuda1"
)
_PRIORITY = 1001


def of(target: Target, distribution: Distribution) -> dict[str, str]:
    """The file and its content, as a plan has it."""
    return {"path": PATH, "content": preferences(target, distribution)}


def preferences(target: Target, distribution: Distribution) -> str:
    """The whole file."""
    stanzas = []  # of several that match a version, apt takes the first
    if target.vendor == NVIDIA and distribution.id == "ubuntu":
        for origin in ("Ubuntu", "LP-PPA-graphics-drivers"):
            stanzas.append(_stanza("The same driver, packaged by somebody else.", _UBUNTUS, f"release o={origin}", -1))
    if target.vendor in (UBUNTU, DEBIAN):
        stanzas.append(_stanza("The same driver, packaged by NVIDIA.", _NVIDIAS, "release o=NVIDIA", -1))
    stanzas.append(_stanza(f"Branch {target.branch} and no other.", _DRIVER, f"version {target.branch}.*", _PRIORITY))
    return "\n".join(stanzas)


def _stanza(comment: str, packages: str, pin: str, priority: int) -> str:
    return f"# {comment}\nPackage: {packages}\nPin: {pin}\nPin-Priority: {priority}\n"
