# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between the GPUs of a machine and their use, or makes what is known of them doubtful.

Whether a GPU is slow or busy is not judged here: that takes a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def find(bus: Reading, library: Reading, command: Reading, gpus: Sequence[Gpu], doubts: Sequence[str]) -> list[Cause]:
    """Every problem, what is nearest to the hardware first.

    :param bus: the reading of sysfs; ``library`` that of NVML, ``command`` that of nvidia-smi.
    :param gpus: what all of them know together; ``doubts`` for each why its bandwidth is doubtful, or nothing.
    """
    addresses = {gpu["pci_address"] for gpu in bus.gpus}
    on_bus = [gpu for gpu in gpus if gpu["pci_address"] in addresses]
    module_version = bus.driver.get("kernel_module_version")
    taken = [gpu for gpu in on_bus if gpu["kernel_driver"] == _OUR_DRIVER]
    explained = () if taken or (gpus and not on_bus) else _EXPLAINED_BY_BUS
    return [
        *_no_gpu(gpus),
        *_drivers(on_bus, module_version),
        *_failures(module_version, library, command, explained),
        *_not_offered(taken, library),
        *_bandwidth(gpus, doubts),
        *_mig(gpus),
    ]


def _no_gpu(gpus: Sequence[Gpu]) -> Iterator[Cause]:
    if not gpus:
        yield Cause(
            "no NVIDIA GPU on the PCI bus, and none that a driver offers",
            "This machine has no NVIDIA GPU, or it is not passed through to this virtual machine.",
            "Compare with the order or the hypervisor's settings. Without a GPU inference runs on the CPU, if at all.",
            CERTAIN,
        )


def _drivers(on_bus: Sequence[Gpu], module_version: str | None) -> Iterator[Cause]:
    """GPUs that the kernel has not given to NVIDIA's driver."""
    for gpu in on_bus:
        driver = gpu["kernel_driver"]
        if driver != _OUR_DRIVER:
            yield _other_driver(gpu, driver) if driver else _no_driver(gpu, module_version)


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


def _failures(
    module_version: str | None, library: Reading, command: Reading, explained: Iterable[int]
) -> Iterator[Cause]:
    """What NVML and nvidia-smi say themselves, each kind of error once."""
    said = {*explained, codes.FUNCTION_NOT_FOUND}  # an older driver is no problem
    for error in (*library.failures, *command.failures):
        if error.code not in said:
            said.add(error.code)
            certain = error.code not in (codes.UNKNOWN, codes.LIBRARY_NOT_FOUND)
            yield Cause(_symptom(error, module_version), error.means, error.fix, CERTAIN if certain else LIKELY)


def _symptom(error: NvmlError, module_version: str | None) -> str:
    if error.code == codes.LIB_RM_VERSION_MISMATCH and module_version:
        return f"{error.seen}; the loaded kernel module is {module_version}"
    return error.seen


def _not_offered(taken: Sequence[Gpu], library: Reading) -> Iterator[Cause]:
    """GPUs that NVIDIA's driver has and does not show."""
    if not library.complete:  # its failures say why
        return
    offered = {gpu.get("pci_address") for gpu in library.gpus}
    for gpu in taken:
        if gpu["pci_address"] not in offered:
            yield Cause(
                f"{_which(gpu)}: NVIDIA's driver is bound and does not offer it",
                "The driver could not initialise this GPU, or is told to leave it out.",
                "Look into the kernel's log: dmesg | grep -iE 'nvrm|xid'.",
                LIKELY,
            )


def _bandwidth(gpus: Sequence[Gpu], doubts: Sequence[str]) -> Iterator[Cause]:
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


def _mig(gpus: Sequence[Gpu]) -> Iterator[Cause]:
    for gpu in gpus:
        if gpu["mig_mode"]:
            yield Cause(
                f"{_which(gpu)}: MIG is on",
                "A process gets a slice of this GPU. Memory and bandwidth, as given here, are those of the whole.",
                "Switch MIG off with nvidia-smi -mig 0, or expect the share of the slice.",
                POSSIBLE,
            )


def _which(gpu: Gpu) -> str:
    where = gpu["pci_address"] or gpu["index"]
    what = gpu["name"] or gpu["pci_id"]
    return f"GPU {where} ({what})" if what else f"GPU {where}"
