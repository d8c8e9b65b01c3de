# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the error codes of NVML mean and what to do; nvidia-smi exits with the same codes.

The codes and their names are those of nvml.h.
"""

from __future__ import annotations

NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
OPERATING_SYSTEM = 17
LIB_RM_VERSION_MISMATCH = 18
ARGUMENT_VERSION_MISMATCH = 25
GPU_NOT_FOUND = 28
UNKNOWN = 999

NAMES = {
    1: "UNINITIALIZED",
    2: "INVALID_ARGUMENT",
    NOT_SUPPORTED: "NOT_SUPPORTED",
    NO_PERMISSION: "NO_PERMISSION",
    5: "ALREADY_INITIALIZED",
    NOT_FOUND: "NOT_FOUND",
    INSUFFICIENT_SIZE: "INSUFFICIENT_SIZE",
    8: "INSUFFICIENT_POWER",
    DRIVER_NOT_LOADED: "DRIVER_NOT_LOADED",
    TIMEOUT: "TIMEOUT",
    11: "IRQ_ISSUE",
    LIBRARY_NOT_FOUND: "LIBRARY_NOT_FOUND",
    FUNCTION_NOT_FOUND: "FUNCTION_NOT_FOUND",
    14: "CORRUPTED_INFOROM",
    GPU_IS_LOST: "GPU_IS_LOST",
    RESET_REQUIRED: "RESET_REQUIRED",
    OPERATING_SYSTEM: "OPERATING_SYSTEM",
    LIB_RM_VERSION_MISMATCH: "LIB_RM_VERSION_MISMATCH",
    19: "IN_USE",
    20: "MEMORY",
    21: "NO_DATA",
    22: "VGPU_ECC_NOT_SUPPORTED",
    23: "INSUFFICIENT_RESOURCES",
    24: "FREQ_NOT_SUPPORTED",
    ARGUMENT_VERSION_MISMATCH: "ARGUMENT_VERSION_MISMATCH",
    26: "DEPRECATED",
    27: "NOT_READY",
    GPU_NOT_FOUND: "GPU_NOT_FOUND",
    29: "INVALID_STATE",
    30: "RESET_TYPE_NOT_SUPPORTED",
    UNKNOWN: "UNKNOWN",
}

_KERNEL_LOG = "Look into the kernel's log for this moment: dmesg | grep -iE 'nvrm|xid'."
_POWER_CYCLE = "Reboot the machine, or switch it off for half a minute. If it comes back, it is the hardware."

# code -> (what it means, what to do); any other code is answered with _UNUSUAL.
_ADVICE = {
    NO_PERMISSION: (
        "This user may not talk to the NVIDIA driver.",
        "Run as root (become), and check that /dev/nvidiactl and /dev/nvidia0 can be read and written.",
    ),
    NOT_FOUND: ("The driver is loaded and finds no GPU.", _KERNEL_LOG),
    8: (
        "The GPU gets too little power: a supplementary power cable is missing or loose.",
        "Have the power cables of the GPU checked.",
    ),
    DRIVER_NOT_LOADED: (
        "The NVIDIA kernel driver is not loaded: it is not installed, was not built for the running kernel, or is kept "
        "out by another driver or by Secure Boot.",
        "Install the driver for the running kernel and reboot. If it is installed: modprobe nvidia says why it cannot "
        "be loaded, dkms status whether it was built.",
    ),
    11: ("The kernel lost interrupts of the GPU.", _POWER_CYCLE),
    LIBRARY_NOT_FOUND: (
        "The driver's user-space library cannot be loaded.",
        "Install the package with libnvidia-ml.so.1 of the same version as the kernel driver (libnvidia-compute or "
        "libnvidia-ml1), then run ldconfig.",
    ),
    FUNCTION_NOT_FOUND: ("The driver is older than this function.", "A newer driver has it."),
    14: ("The GPU's own configuration memory is damaged.", "Have the GPU replaced, or its InfoROM repaired."),
    GPU_IS_LOST: ("The GPU has fallen off the bus: it no longer answers.", _POWER_CYCLE),
    RESET_REQUIRED: ("The GPU met an error from which only a reset helps.", _POWER_CYCLE),
    TIMEOUT: ("The driver does not answer: it or the GPU hangs.", f"{_KERNEL_LOG} {_POWER_CYCLE}"),
    OPERATING_SYSTEM: ("The operating system refused the driver's request.", _KERNEL_LOG),
    LIB_RM_VERSION_MISMATCH: (
        "The driver's libraries and the loaded kernel module are of different versions: the packages were updated "
        "while the old module stayed loaded, or leftovers of another driver are in the way. CUDA fails too.",
        "Reboot, so that the module of the installed version is loaded. If the mismatch stays, purge the packages of "
        "the other driver version.",
    ),
    20: ("The driver or this machine has too little memory.", "Free memory, then try again."),
    GPU_NOT_FOUND: ("The driver is loaded and finds no GPU.", _KERNEL_LOG),
    UNKNOWN: (
        "The driver failed and does not say why. Inside a container this is the sign of a lost device: the "
        "container's cgroup was rewritten, for instance by systemctl daemon-reload.",
        f"Outside a container: {_KERNEL_LOG} Inside one: recreate the container.",
    ),
}
_UNUSUAL = ("The NVIDIA driver refuses a request that it should answer.", _KERNEL_LOG)


def advice(code: int) -> tuple[str, str]:
    """What a code other than success means, and what to do."""
    return _ADVICE.get(code, _UNUSUAL)


class NvmlError(Exception):
    """A request that failed: ``code`` as in nvml.h, ``where`` the function or command, ``said`` its own words."""

    def __init__(self, code: int, where: str, said: str = "") -> None:
        self.code = code
        self.where = where
        self.said = said
        self.means, self.fix = advice(code)
        super().__init__(f"{self.seen}. {self.means} {self.fix}")

    @property
    def name(self) -> str:
        """The name in nvml.h, without its prefix."""
        return NAMES.get(self.code, "unknown to this collection")

    @property
    def seen(self) -> str:
        """What was seen, in a few words."""
        return f"{self.where}: {self.said or f'NVML error {self.code} ({self.name})'}"
