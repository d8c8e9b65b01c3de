# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which generation a GPU is of, by its PCI device id, and which driver branches and kernel modules can drive it.

Ranges: chips of NVIDIA's entries in pci.ids 2026.08.22 (https://pci-ids.ucw.cz), each range holding no chip of another
generation. Which modules: NVIDIA's blog "Transitions fully towards open kernel modules" and the README of its open
modules 595.45.04 (Turing or later; Grace Hopper and Blackwell with the open ones only). Last branches: NVIDIA's list of
supported GPUs; 590 dropped Maxwell, Pascal and Volta.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Generation:
    """``first_branch`` and ``last_branch`` are driver branches, null where there is no such limit."""

    name: str
    open_possible: bool
    proprietary_possible: bool
    first_branch: int | None = None
    last_branch: int | None = None


_OLDER = Generation("older than Maxwell", False, True, last_branch=470)
_MAXWELL = Generation("Maxwell", False, True, last_branch=580)
_PASCAL = Generation("Pascal", False, True, last_branch=580)
_VOLTA = Generation("Volta", False, True, last_branch=580)
_TURING = Generation("Turing", True, True)
_AMPERE = Generation("Ampere", True, True)
_ADA = Generation("Ada Lovelace", True, True, first_branch=525)
_HOPPER = Generation("Hopper", True, True, first_branch=525)
_GRACE_HOPPER = Generation("Grace Hopper", True, False, first_branch=535)
_BLACKWELL = Generation("Blackwell", True, False, first_branch=570)
_NEWER = Generation("newer than Blackwell", True, False, first_branch=570)

# First device id of each range; a range reaches up to the next.
_RANGES = (
    (0x0000, _OLDER),
    (0x1340, _MAXWELL),
    (0x15C0, _PASCAL),
    (0x1600, _MAXWELL),
    (0x1700, _PASCAL),
    (0x1740, _MAXWELL),
    (0x1B00, _PASCAL),
    (0x1D80, _VOLTA),
    (0x1E00, _TURING),
    (0x2080, _AMPERE),
    (0x2100, _TURING),
    (0x2200, _AMPERE),
    (0x2300, _HOPPER),
    (0x2340, _GRACE_HOPPER),
    (0x2380, _HOPPER),
    (0x2400, _AMPERE),
    (0x2600, _ADA),
    (0x2900, _BLACKWELL),
    (0x3000, _NEWER),
    (0x3180, _BLACKWELL),
    (0x3400, _NEWER),
)
_LAST_KNOWN = 0x3340


@dataclass(frozen=True)
class KnownGeneration:
    """``assumed`` says what was assumed of a device id that is newer than the table, or nothing."""

    generation: Generation
    assumed: str = ""


def generation(pci_id: str) -> KnownGeneration:
    """Of a GPU by vendor and device as lspci -n writes them, such as ``10de:27b0``."""
    device = int(pci_id.split(":")[1], 16)
    found = next(generation for first, generation in reversed(_RANGES) if first <= device)
    if found is _NEWER or device > _LAST_KNOWN:
        return KnownGeneration(
            found, f"the PCI id {pci_id} is newer than Blackwell's: assumed is that it needs the open kernel modules"
        )
    return KnownGeneration(found)
