# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One model on several nodes: what the head and the workers are started with, and what speaks against it.

Two runtimes of vLLM, read in the sources of 0.9.2 to 0.33.0. ``mp`` starts vLLM on every node with --nnodes and
--node-rank, and --headless on all but the first; it is there from 0.11.2 on. ``ray`` starts vLLM on the head of a Ray
cluster only; vLLM required Ray up to 0.17.1, and its own image does not hold it any more from 0.19.1 on.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.serving import Command
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import ServingRelease

AUTO, PROCESSES, RAY = "auto", "mp", "ray"
# vLLM's default of --master-port, and Ray's of ray start --port.
PORTS = {PROCESSES: 29501, RAY: 6379}
_WITHOUT_RAY = (0, 19, 0)
# What all nodes must have in common: the key of a node, and how a person calls it.
_COMMON = {
    "release": "vllm_release",
    "image": "vllm_image",
    "profile": "profile",
    "model_path": "vllm_model_path",
    "model_checksum": "checksum of the model's config.json",
    "gpus": "number of GPUs",
    "arguments": "vllm_extra_arguments and settings",
    "runtime": "vllm_cluster_runtime",
    "port": "vllm_cluster_port",
}


@dataclass(frozen=True)
class Member:
    """A node of a cluster. ``head`` and ``address`` are those by which the nodes reach the first and this one."""

    rank: int
    nodes: int
    runtime: str
    port: int
    head: str
    address: str
    interface: str = ""

    def options(self) -> dict[str, Any]:
        """For vLLM's command line."""
        if self.runtime == RAY:
            return {"distributed-executor-backend": "ray"}
        placed = {"nnodes": self.nodes, "node-rank": self.rank, "master-addr": self.head, "master-port": self.port}
        return placed | ({"headless": True} if self.rank else {})

    def environment(self) -> dict[str, str]:
        """By these NCCL, Gloo, Ray and vLLM take the address and the network card that were meant."""
        found = {"VLLM_HOST_IP": self.address}
        if self.interface:
            found |= {"NCCL_SOCKET_IFNAME": self.interface, "GLOO_SOCKET_IFNAME": self.interface}
        if self.runtime == RAY:
            found |= {"RAY_ADDRESS": f"{self.head}:{self.port}", "RAY_USAGE_STATS_ENABLED": "0"}
        return found

    def start(self, command: Command) -> tuple[list[str], list[str]]:
        """Entrypoint and arguments of this node's container, out of those of a server on one node."""
        own = f"--node-ip-address={self.address}"
        if self.runtime == RAY and self.rank:
            return ["ray", "start"], [f"--address={self.head}:{self.port}", own, "--block"]
        if self.runtime == RAY:
            head = f'ray start --head {own} --port={self.port} --include-dashboard=false && exec "$@"'
            return ["/bin/sh", "-c", head, "ray-head"], [*command.entrypoint, *command.arguments]
        if self.rank:
            # Only this way of starting vLLM knows what headless means; it wants the model in front.
            arguments = list(command.arguments)
            place = arguments.index("--model")
            model = arguments[place + 1]
            return ["vllm", "serve"], [model, *arguments[:place], *arguments[place + 2 :]]
        return command.entrypoint, command.arguments


def runtime(wanted: str, release: str) -> str:
    """``auto`` is vLLM's own where the release has it, or else Ray."""
    if wanted != AUTO:
        return wanted
    try:
        return PROCESSES if ServingRelease.named(release).knows("nnodes") else RAY
    except ValueError:
        return PROCESSES  # told where the release is checked


def interface(address: str, facts: Mapping[str, Any]) -> str:
    """The network card that has this IPv4 address; empty where none has."""
    for name in facts.get("interfaces") or []:
        card = facts.get(str(name).replace("-", "_")) or {}
        entries = [card.get("ipv4") or {}, *(card.get("ipv4_secondaries") or [])]
        if any(entry.get("address") == address for entry in entries):
            return str(card.get("device") or name)
    return ""


def problems(
    name: str, names: Sequence[str], playing: Sequence[str], nodes: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Why this node cannot be one of the cluster.

    :param name: of this node in the inventory.
    :param names: those of all nodes of the cluster, the head first.
    :param playing: the hosts that the play works on at once.
    :param nodes: what each node said of itself: ``address``, ``own_addresses``, and what must be the same on all.
    """
    if len(set(names)) != len(names) or name not in names:
        return [
            f"vllm_cluster_nodes is {', '.join(names)}, which must name each node once, {name} among them. Set it "
            "once, for the group of these nodes."
        ]
    absent = [node for node in names if node not in playing or node not in nodes]
    if absent:
        return [
            f"The cluster needs {', '.join(names)} in one run, and {', '.join(absent)} is not in this one. They are "
            "compared and started together: run without --limit and gpunode_serial, and make all of them reachable."
        ]
    return [*_address(name, nodes), *_differences(name, names[0], nodes)]


def notes(runtime_name: str, release: str, image: str) -> list[str]:
    """What a person should know before such a cluster is started."""
    found = [
        "What the nodes of a cluster send each other is neither encrypted nor authenticated, and whoever reaches their "
        "ports can run code there. Only these nodes may reach that network (docs/scaling.md)."
    ]
    try:
        without = ServingRelease.named(release).release >= _WITHOUT_RAY
    except ValueError:
        without = False
    if runtime_name == RAY and without and "vllm/vllm-openai" in image:
        found.append(
            f"{image} is vLLM's own image, which does not hold Ray any more. Set vllm_cluster_runtime to mp, or "
            "vllm_image to an image that has it."
        )
    return found


def _address(name: str, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    address = str(nodes[name].get("address") or "")
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        yield (
            f"vllm_cluster_address of {name} is {address!r}, which is no IPv4 address. Set it to the one by which the "
            "other nodes reach this one."
        )
        return
    if address not in (nodes[name].get("own_addresses") or []):
        yield (
            f"vllm_cluster_address is {address}, which {name} does not have. Set it to an address of this node in the "
            "network that the cluster shares."
        )
    elif parsed.is_loopback or parsed.is_global:
        kind = "its loopback address" if parsed.is_loopback else "a public one"
        yield (
            f"vllm_cluster_address of {name} is {address}, {kind}. The nodes talk without authentication, so that it "
            "has to be one of a private network (a vSwitch, a VLAN, WireGuard). Set vllm_cluster_address."
        )
    others = [other for other, node in nodes.items() if other != name and node.get("address") == address]
    if others:
        yield f"{name} and {', '.join(others)} have the same vllm_cluster_address, {address}. Set it for each of them."


def _differences(name: str, head: str, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    own, first = nodes[name], nodes[head]
    differing = [
        f"{called} ({own.get(key)!r}, there {first.get(key)!r})"
        for key, called in _COMMON.items()
        if own.get(key) != first.get(key)
    ]
    if differing:
        yield (
            f"{name} differs from {head}, the head of its cluster, in {'; '.join(differing)}. All nodes of a cluster "
            "run the same. Set these for the whole group."
        )
