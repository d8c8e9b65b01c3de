# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which GPUs of a node a server is given: all of them, or those that the inventory names by index or UUID.

An index is that of NVML and nvidia-smi, by which the container toolkit knows them too. It may change when a card is
added or taken out; a UUID does not. Before the driver is there nobody knows either: then only the number is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Gpu = Mapping[str, Any]

ALL = "all"
_PASSED_THROUGH = "vfio-pci"
CDI_KIND = "nvidia.com/gpu"
_UUID = re.compile(r"GPU-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass
class Choice:
    """``gpus`` are the chosen ones as gpu_info sees them. ``names`` is what the container toolkit is told."""

    names: list[str]
    gpus: list[Gpu] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For filters."""
        # Not asdict: it copies, and Ansible's own lists cannot be copied.
        return {"names": self.names, "gpus": self.gpus, "stops": self.stops, "notes": self.notes}


def choose(gpus: Sequence[Gpu], wanted: Any) -> Choice:
    """The GPUs of ``vllm_gpus``, and what speaks against them.

    :param gpus: as gpu_info returns them; empty where the node has none, or is not looked at.
    :param wanted: ``all``, or a list of indices and UUIDs.
    """
    if wanted == ALL:
        # A GPU that belongs to a virtual machine is not seen by the toolkit; where there is no other, gpu_fit tells.
        choice = Choice([ALL], [gpu for gpu in gpus if gpu.get("kernel_driver") != _PASSED_THROUGH] or list(gpus))
    elif isinstance(wanted, (str, int)) or not isinstance(wanted, Sequence):
        return Choice([ALL], list(gpus), [_shape(wanted)])
    else:
        choice = _named(gpus, [str(name).strip() for name in wanted])
    _sliced(choice)
    _mixed(choice)
    return choice


def cdi_devices(names: Sequence[str]) -> list[str]:
    """The same as CDI devices, as nvidia-ctk names them by default: by index and by UUID."""
    return [f"{CDI_KIND}={name}" for name in names]


def alike(gpus: Sequence[Gpu]) -> bool:
    """Whether they can share a model evenly: same kind, same memory."""
    return len({(gpu.get("name") or gpu.get("pci_id"), gpu.get("memory_total_bytes")) for gpu in gpus}) <= 1


def label(gpu: Gpu) -> str:
    """Index, name and UUID, as far as they are known."""
    index, uuid = gpu.get("index"), gpu.get("uuid")
    known = " ".join(str(part) for part in (index, gpu.get("name") or gpu.get("pci_id")) if part is not None)
    return f"{known} ({uuid})" if uuid else known


def _shape(wanted: Any) -> str:
    return (
        f"vllm_gpus is {wanted!r}, which is neither all nor a list. Write for instance [0, 1], or the UUIDs that "
        "nvidia-smi -L shows."
    )


def _named(gpus: Sequence[Gpu], names: list[str]) -> Choice:
    choice = Choice(names)
    if not names:
        choice.stops.append("vllm_gpus is an empty list: no GPU would be left for vLLM. Set it to all, or name some.")
    malformed = [name for name in names if not name.isdecimal() and not _UUID.match(name)]
    if malformed:
        slices = any(name.startswith("MIG-") for name in malformed)
        choice.stops.append(
            f"vllm_gpus names {', '.join(malformed)}, which is neither the index nor the whole UUID of a GPU. "
            + ("Slices of a GPU (MIG) are not served. " if slices else "")
            + "Take them from nvidia-smi -L."
        )
    if not gpus or malformed:
        return choice  # that there is no GPU at all is told where its memory is judged
    if all(gpu.get("index") is None for gpu in gpus):
        _before_the_driver(choice, gpus)
        return choice
    found = [(name, gpu) for name in names for gpu in gpus if name in (str(gpu.get("index")), gpu.get("uuid"))]
    missing = [name for name in names if name not in [known for known, _gpu in found]]
    if missing:
        choice.stops.append(
            f"vllm_gpus names {', '.join(missing)}, and this node has no such GPU. It has "
            f"{'; '.join(map(label, gpus))}. Correct vllm_gpus; a card that was there before may have failed "
            "(dmesg | grep -i nvrm)."
        )
    for _name, gpu in found:
        if gpu in choice.gpus:
            choice.stops.append(f"vllm_gpus names the GPU {label(gpu)} twice. Name it once.")
        else:
            choice.gpus.append(gpu)
    return choice


def _before_the_driver(choice: Choice, gpus: Sequence[Gpu]) -> None:
    """Without a driver GPUs have an address only; NVML numbers them by that."""
    indices = sorted({int(name) for name in choice.names if name.isdecimal()})
    beyond = [str(index) for index in indices if index >= len(gpus)]
    if beyond or len(choice.names) > len(gpus):
        choice.stops.append(
            f"vllm_gpus names {', '.join(beyond or choice.names)}, and this node has {len(gpus)} NVIDIA GPU on its PCI "
            "bus. Correct vllm_gpus."
        )
        return
    by_address = sorted(gpus, key=lambda gpu: str(gpu.get("pci_address")))
    choice.gpus = [by_address[index] for index in indices]
    others = [gpu for gpu in by_address if gpu not in choice.gpus]
    choice.gpus += others[: len(choice.names) - len(indices)]
    if len(indices) < len(choice.names):
        choice.notes.append(
            "The UUIDs in vllm_gpus cannot be checked before the driver is there; the toolkit would refuse a wrong one."
        )


def _sliced(choice: Choice) -> None:
    sliced = [gpu for gpu in choice.gpus if gpu.get("mig_mode")]
    if sliced:
        choice.stops.append(
            f"MIG is on for {'; '.join(map(label, sliced))}. vLLM would see slices and not the GPU, so that neither "
            "its memory nor its number is what was judged here. Switch it off (nvidia-smi -i INDEX -mig 0, then "
            "reboot), or name other GPUs in vllm_gpus."
        )


def _mixed(choice: Choice) -> None:
    if not alike(choice.gpus):
        choice.notes.append(
            f"The GPUs are not alike ({'; '.join(map(label, choice.gpus))}). What works on several of them goes by the "
            "slowest and the smallest. Name those that belong together in vllm_gpus."
        )
