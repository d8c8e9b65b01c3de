# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between the GPUs of a machine and their use, or makes what is known of them doubtful.

Whether a GPU is slow or busy is not judged here: that takes a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import nvml_errors as codes
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_reading import Reading
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvml_errors import NvmlError

Gpu = Mapping[str, Any]

_OUR_DRIVER = "nvidia"
_REMOVE_NOUVEAU = (
    "Keep {driver} out with a file in /etc/modprobe.d (blacklist {driver}; for nouveau also options nouveau "
    "modeset=0), run update-initramfs -u -k all, install NVIDIA's driver and reboot."
)
# What NVML cannot help saying where no GPU has NVIDIA's driver.
_EXPLAINED_BY_BUS = (codes.LIBRARY_NOT_FOUND, codes.DRIVER_NOT_LOADED, codes.NOT_FOUND, codes.GPU_NOT_FOUND)


def find(
    bus: Reading, library: Reading, command: Reading, gpus: list[dict[str, Any]], doubts: list[str]
) -> list[Cause]:
    """Every problem, what is nearest to the hardware first.

    :param bus: the reading of sysfs; ``library`` that of NVML, ``command`` that of nvidia-smi.
    :param doubts: for each of ``gpus`` why its bandwidth is doubtful, or nothing.
    """
    drivers = list(_drivers(bus))
    explained = _EXPLAINED_BY_BUS if not gpus or len(drivers) == len(bus.gpus) > 0 else ()
    return [
        *_no_gpu(gpus),
        *drivers,
        *_failures(bus, library, command, explained),
        *_not_offered(bus, library),
        *_bandwidth(gpus, doubts),
        *_mig(gpus),
    ]


def _no_gpu(gpus: list[dict[str, Any]]) -> Iterator[Cause]:
    if not gpus:
        yield Cause(
            "no NVIDIA GPU on the PCI bus, and none that a driver offers",
            "This machine has no NVIDIA GPU, or it is not passed through to this virtual machine.",
            "Compare with the order or the hypervisor's settings. Without a GPU inference runs on the CPU, if at all.",
            CERTAIN,
        )


def _drivers(bus: Reading) -> Iterator[Cause]:
    """GPUs that the kernel has not given to NVIDIA's driver."""
    for gpu in bus.gpus:
        driver = gpu.get("kernel_driver")
        if driver != _OUR_DRIVER:
            yield _other_driver(gpu, driver) if driver else _no_driver(gpu, bus.driver.get("kernel_module_version"))


def _no_driver(gpu: Gpu, module_version: str | None) -> Cause:
    if module_version:
        return Cause(
            f"{_which(gpu)}: no kernel driver is bound, though nvidia {module_version} is loaded",
            "The loaded module does not take this GPU: the open flavour needs Turing or later, the proprietary one "
            "does not take Blackwell, and releases from 590 on no longer take Volta and older.",
            "Look for NVRM in the kernel's log (dmesg | grep -i nvrm) and install the flavour that fits.",
            LIKELY,
        )
    return Cause(
        f"{_which(gpu)}: no kernel driver is bound",
        "The NVIDIA driver is not installed, was not built for the running kernel, or may not be loaded (Secure Boot).",
        "Install the driver and reboot. If it is installed: modprobe nvidia says why it cannot be loaded, dkms status "
        "whether it was built.",
        CERTAIN,
    )


def _other_driver(gpu: Gpu, driver: str) -> Cause:
    symptom = f"{_which(gpu)}: the kernel driver {driver} is bound"
    name = driver.lower()
    if name.startswith(("nouveau", "nova")):
        means = "The free driver of the kernel holds the GPU. It cannot run CUDA, and NVIDIA's driver cannot take over."
        module = "nouveau" if name.startswith("nouveau") else "nova_core"
        return Cause(symptom, means, _REMOVE_NOUVEAU.format(driver=module), CERTAIN)
    if name.startswith("vfio"):
        means = "The GPU is set aside for a virtual machine; this machine cannot use it."
        fix = "Run this in the virtual machine, or take the GPU's ids out of vfio-pci's settings and reboot."
        return Cause(symptom, means, fix, CERTAIN)
    means = "A driver other than NVIDIA's holds the GPU; CUDA cannot use it."
    return Cause(symptom, means, f"Keep {driver} out (blacklist in /etc/modprobe.d) and reboot.", LIKELY)


def _failures(bus: Reading, library: Reading, command: Reading, explained: Iterable[int]) -> Iterator[Cause]:
    """What NVML and nvidia-smi say themselves, each kind of error once."""
    said = {*explained, codes.FUNCTION_NOT_FOUND}  # an older driver is no problem
    for error in (*library.failures, *command.failures):
        if error.code not in said:
            said.add(error.code)
            certain = error.code not in (codes.UNKNOWN, codes.LIBRARY_NOT_FOUND)
            yield Cause(_symptom(error, bus), error.means, error.fix, CERTAIN if certain else LIKELY)


def _symptom(error: NvmlError, bus: Reading) -> str:
    loaded = bus.driver.get("kernel_module_version")
    if error.code == codes.LIB_RM_VERSION_MISMATCH and loaded:
        return f"{error.seen}; the loaded kernel module is {loaded}"
    return error.seen


def _not_offered(bus: Reading, library: Reading) -> Iterator[Cause]:
    if not library.complete:  # its failures say why
        return
    offered = {gpu.get("pci_address") for gpu in library.gpus}
    for gpu in bus.gpus:
        if gpu.get("kernel_driver") == _OUR_DRIVER and gpu["pci_address"] not in offered:
            yield Cause(
                f"{_which(gpu)}: NVIDIA's driver is bound and does not offer it",
                "The driver could not initialise this GPU, or is told to leave it out.",
                "Look into the kernel's log: dmesg | grep -iE 'nvrm|xid'.",
                LIKELY,
            )


def _bandwidth(gpus: list[dict[str, Any]], doubts: list[str]) -> Iterator[Cause]:
    for gpu, doubt in zip(gpus, doubts, strict=True):
        if doubt:
            instead = "The table's" if gpu["peak_bandwidth_bytes_per_second"] else "No"
            yield Cause(
                f"{_which(gpu)}: {doubt}",
                f"The driver's bus width or memory clock cannot be right. {instead} figure is used instead.",
                "Give the GPU's memory bandwidth yourself where a roofline asks for it, and report this GPU to the "
                "authors of the collection.",
                LIKELY,
            )


def _mig(gpus: list[dict[str, Any]]) -> Iterator[Cause]:
    for gpu in gpus:
        if gpu["mig_mode"]:
            yield Cause(
                f"{_which(gpu)}: MIG is on",
                "A process gets a slice of this GPU. Memory and bandwidth, as given here, are those of the whole.",
                "Switch MIG off with nvidia-smi -mig 0, or expect the share of the slice.",
                POSSIBLE,
            )


def _which(gpu: Gpu) -> str:
    return f"GPU {gpu.get('pci_address') or gpu.get('index')} ({gpu.get('name') or gpu.get('pci_id')})"
