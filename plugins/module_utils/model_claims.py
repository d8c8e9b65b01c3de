# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What models that share a node must not both have: names, ports, and more of a GPU than there is.

A claim is a mapping with ``kind``: ``name`` (``what``, ``value``, ``setting``), ``port`` (``address``, ``port``),
``gpu_memory`` (``gpus`` that the server sees, as gpu_info describes them, ``arguments``, ``release``).
"""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_memory import Server

Claim = Mapping[str, Any]

# Beside vLLM's shares each server has a CUDA context, and CUDA graphs that not every release counts.
_COMFORTABLE_SHARE = 0.95


@dataclass(frozen=True)
class Claimed:
    """What one model claims."""

    model: str
    claims: Sequence[Claim]

    def of(self, kind: str) -> list[Claim]:
        return [claim for claim in self.claims if claim["kind"] == kind]


@dataclass(frozen=True)
class _Share:
    model: str
    part: float


def collisions(models: Sequence[Claimed]) -> list[str]:
    """Reasons to stop: what two models would take from each other."""
    return [*_same_names(models), *_same_ports(models), *_overcommitted(models)]


def tight_shares(models: Sequence[Claimed]) -> list[str]:
    """Notes: GPUs of which nearly everything is given away."""
    return [
        f"{label} is shared by {_listed(shares)}, {_total(shares):.2f} of its memory together. It may just fit: each "
        f"server takes a little more than its share. Stay at {_COMFORTABLE_SHARE} or below to be safe "
        "(vllm_gpu_memory_utilization)."
        for label, shares in _shares(models).items()
        if len(shares) > 1 and _COMFORTABLE_SHARE + 1e-9 < _total(shares) <= 1 + 1e-9
    ]


def joined(names: Iterable[str]) -> str:
    """One after the other in a sentence."""
    *others, last = list(names)
    return f"{', '.join(others)} and {last}" if others else last


def _same_names(models: Sequence[Claimed]) -> list[str]:
    owners: dict[tuple[str, str, str], list[str]] = {}
    for one in models:
        for claim in one.of("name"):
            value = str(claim["value"])
            value = posixpath.normpath(value) if value.startswith("/") else value
            owners.setdefault((str(claim["what"]), value, str(claim["setting"])), []).append(one.model)
    return [
        f"{what} {value or '(unnamed)'} belongs to more than one model of gpunode_models: {joined(names)}. Each would "
        f"overwrite what the other has. Give each a {setting} of its own."
        for (what, value, setting), names in owners.items()
        if len(names) > 1
    ]


def _same_ports(models: Sequence[Claimed]) -> list[str]:
    claims = [(one.model, claim) for one in models for claim in one.of("port")]
    found = []
    for position, (model, claim) in enumerate(claims):
        for other, others in claims[position + 1 :]:
            if int(claim["port"]) == int(others["port"]) and _overlap(str(claim["address"]), str(others["address"])):
                found.append(
                    f"The models {model} and {other} both publish port {claim['port']} (at {claim['address']} and "
                    f"{others['address']}). The second could not start. Give each a gpunode_listen_port of its own."
                )
    return found


def _overlap(first: str, second: str) -> bool:
    return first == second or _everywhere(first) or _everywhere(second)


def _everywhere(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:  # told where the address is checked
        return False


def _overcommitted(models: Sequence[Claimed]) -> list[str]:
    return [
        f"{label} is shared by {_listed(shares)}, {_total(shares):.2f} of its memory together. The last to start would "
        'find too little of it ("Free memory on device is less than desired GPU memory utilization"). Give each '
        f"model a share with vllm_gpu_memory_utilization, {_COMFORTABLE_SHARE} at most together, or another GPU with "
        "vllm_gpus."
        for label, shares in _shares(models).items()
        if len(shares) > 1 and _total(shares) > 1 + 1e-9
    ]


def _shares(models: Sequence[Claimed]) -> dict[str, list[_Share]]:
    """Who has which part of each GPU."""
    found: dict[str, list[_Share]] = {}
    for one in models:
        for claim in one.of("gpu_memory"):
            release = parse_release(claim["release"])
            if release is None:
                continue  # told where the release is checked
            server = Server({}, release, _options(claim["arguments"]), {})
            for gpu in claim["gpus"][: server.gpus]:
                found.setdefault(_label(gpu), []).append(_Share(one.model, server.utilization))
    return found


def _label(gpu: Mapping[str, Any]) -> str:
    index = gpu.get("index")
    return f"GPU {gpu.get('pci_address') if index is None else index}"


def _options(arguments: Sequence[str]) -> dict[str, str]:
    """The options of a command line with their values, in either way of writing them; the last one wins, as in vLLM."""
    options = {}
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        if not str(argument).startswith("--"):
            continue
        name, equals, value = str(argument)[2:].partition("=")
        options[name.replace("_", "-")] = value if equals else str(following)
    return options


def _total(shares: Sequence[_Share]) -> float:
    return sum(share.part for share in shares)


def _listed(shares: Sequence[_Share]) -> str:
    return joined(f"{share.model} ({share.part:g})" for share in shares)
