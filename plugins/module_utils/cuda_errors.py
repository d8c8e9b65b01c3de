# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the error codes of cuInit mean on a machine with its own driver, and what to do.

The codes and their names are those of cuda.h. What NVML says of the same trouble stands in nvml_errors.
"""

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils import nvml_errors

SUCCESS = 0
STUB_LIBRARY = 34
NO_DEVICE = 100
SYSTEM_NOT_READY = 802
SYSTEM_DRIVER_MISMATCH = 803
COMPAT_NOT_SUPPORTED_ON_DEVICE = 804
UNKNOWN = 999

NAMES = {
    SUCCESS: "CUDA_SUCCESS",
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    STUB_LIBRARY: "CUDA_ERROR_STUB_LIBRARY",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    NO_DEVICE: "CUDA_ERROR_NO_DEVICE",
    101: "CUDA_ERROR_INVALID_DEVICE",
    304: "CUDA_ERROR_OPERATING_SYSTEM",
    SYSTEM_NOT_READY: "CUDA_ERROR_SYSTEM_NOT_READY",
    SYSTEM_DRIVER_MISMATCH: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    COMPAT_NOT_SUPPORTED_ON_DEVICE: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    UNKNOWN: "CUDA_ERROR_UNKNOWN",
}

# Said of a container's log too (rules_startup).
REMOVE_OTHER_BRANCHES = (
    "Compare nvidia-smi with /proc/driver/nvidia/version, remove packages of other driver branches and reboot."
)
INSTALL_LIBCUDA = (
    "Install the driver's compute libraries on the node (libnvidia-compute, on Debian libcuda1, of the driver's branch)"
)
ONLY_DATA_CENTER = "this GPU may not bridge that with compatibility libraries: only data center GPUs may."

# code -> (what it means, what to do); any other code is answered with _UNUSUAL.
_ADVICE = {
    STUB_LIBRARY: (
        "The loader found the stub of the CUDA toolkit, which is for linking only, and not the driver's library.",
        "Take the folder stubs out of LD_LIBRARY_PATH and /etc/ld.so.conf.d, then run ldconfig.",
    ),
    SYSTEM_NOT_READY: (
        "The GPUs are joined by NVSwitch, and the service that sets the switches up does not run.",
        "Install nvidia-fabricmanager of exactly the driver's version and start it: systemctl status "
        "nvidia-fabricmanager.",
    ),
    SYSTEM_DRIVER_MISMATCH: (
        "This libcuda does not belong to the loaded kernel module, though their versions look alike: remains of "
        "another driver version, or CUDA compatibility libraries found before those of the driver.",
        f"{REMOVE_OTHER_BRANCHES} Look for another libcuda: ldconfig -p | grep libcuda.",
    ),
    COMPAT_NOT_SUPPORTED_ON_DEVICE: (
        f"The loader found a libcuda that is newer than the driver (cuda-compat), and {ONLY_DATA_CENTER}",
        "Remove the packages cuda-compat-*, and take folders named compat out of LD_LIBRARY_PATH and "
        "/etc/ld.so.conf.d, then run ldconfig. If a newer CUDA is needed, install a newer driver branch.",
    ),
    UNKNOWN: (
        "The driver failed and does not say why. Most often the module nvidia_uvm is not loaded or its device files "
        "are missing; after a suspend, or a crash of the GPU, it is the GPU.",
        "Run modprobe nvidia_uvm and nvidia-modprobe -u -c 0, and look for /dev/nvidia-uvm. If it stays: "
        "dmesg | grep -iE 'nvrm|xid', then reboot.",
    ),
}
_UNUSUAL = (
    "The NVIDIA driver refuses to start CUDA.",
    "Look into the kernel's log for this moment: dmesg | grep -iE 'nvrm|xid'.",
)


def advice(code: int, *, module_loaded: bool) -> tuple[str, str]:
    """What a code of cuInit other than success means, and what to do.

    :param module_loaded: whether the kernel module nvidia is loaded. Without it CUDA sees no device.
    """
    if not module_loaded and code in (NO_DEVICE, UNKNOWN):
        return nvml_errors.advice(nvml_errors.DRIVER_NOT_LOADED)
    if code == NO_DEVICE:
        means, fix = nvml_errors.advice(nvml_errors.GPU_NOT_FOUND)
        return (
            f"{means} Or it is in MIG mode and has no instance, which CUDA needs; or CUDA_VISIBLE_DEVICES hides it.",
            "See whether MIG is on and nvidia-smi -L shows an instance (nvidia-smi mig -cgi PROFILE -C makes one). "
            f"Else: {fix}",
        )
    return _ADVICE.get(code, _UNUSUAL)
