# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the GPUs of a node demand of their driver: the flavour of its kernel modules, and its branch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.gpu_generation import KnownGeneration, generation
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import AUTO, OPEN, PROPRIETARY

# Whoever misses the GPU says it in these words, so that a list of reasons has it once.
NO_GPU = (
    "No NVIDIA GPU is on the PCI bus (no display controller of vendor 10de in /sys/bus/pci/devices), and the model "
    "is to be served on one. A card that lspci -nn -d 10de: does not show either is not seated, switched off in the "
    "firmware, or not passed through to this virtual machine. Without a GPU set gpunode_accelerator to cpu (for "
    "tests)."
)


@dataclass(frozen=True)
class Gpus:
    """The generation of each GPU by its PCI address."""

    generations: Mapping[str, KnownGeneration]

    @property
    def need_open(self) -> list[str]:
        """GPUs that the proprietary modules cannot drive."""
        return self._those("proprietary_possible")

    @property
    def need_proprietary(self) -> list[str]:
        """GPUs that the open modules cannot drive."""
        return self._those("open_possible")

    @property
    def assumptions(self) -> list[str]:
        """What was assumed of device ids that the table does not have."""
        return [known.assumed for known in self.generations.values() if known.assumed]

    def open_flavour(self, wished: str) -> bool:
        """Proprietary where the GPUs leave a choice and the user has not made one."""
        return wished == OPEN or (wished == AUTO and bool(self.need_open))

    def objections(self, branch: str, open_flavour: bool) -> list[str]:
        """Why a driver of this branch with these modules cannot drive all GPUs."""
        flavour = OPEN if open_flavour else PROPRIETARY
        found = [] if self.generations else [NO_GPU]
        impossible = self.need_proprietary if open_flavour else self.need_open
        if self.need_open and self.need_proprietary:
            found.append(
                f"{_list(self.need_open)} needs the open kernel modules, {_list(self.need_proprietary)} the "
                "proprietary ones. No driver drives both. Take the older GPU out, or use it in another machine."
            )
        elif impossible:
            other = PROPRIETARY if open_flavour else OPEN
            found.append(
                f"The {flavour} kernel modules cannot drive {_list(impossible)}. NVIDIA has only {other} ones for it. "
                f"Set nvidia_driver_flavour to auto or {other}."
            )
        return found + [text for address, known in self.generations.items() if (text := _limit(address, known, branch))]

    def _those(self, unless: str) -> list[str]:
        return [
            f"{address} ({known.generation.name})"
            for address, known in self.generations.items()
            if not getattr(known.generation, unless)
        ]


def read(gpus: Iterable[Mapping[str, Any]]) -> Gpus:
    """From the reading of pci_gpus."""
    return Gpus({gpu["pci_address"]: generation(gpu["pci_id"]) for gpu in gpus if "pci_id" in gpu})


def _limit(address: str, known: KnownGeneration, branch: str) -> str | None:
    first, last = known.generation.first_branch, known.generation.last_branch
    name = f"The GPU {address} is of the generation {known.generation.name}"
    if last is not None and int(branch) > last:
        return (
            f"{name}. Branch {last} is the last that drives it, {branch} does not. Set nvidia_driver_branch to {last}."
        )
    if first is not None and int(branch) < first:
        return f"{name}. Branch {branch} does not know it yet. Set nvidia_driver_branch to {first} or later."
    return None


def _list(gpus: Iterable[str]) -> str:
    return "GPU " + ", ".join(gpus)
