# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cluster
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving import Command


def vllm_cluster_member(
    nodes: Sequence[str],
    name: str,
    addresses: Mapping[str, str],
    release: str,
    runtime: str = cluster.AUTO,
    port: Any = "",
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    member = _member(nodes, name, addresses, cluster.runtime(runtime, release), port, facts or {})
    return {
        "rank": member.rank,
        "runtime": member.runtime,
        "head": member.head,
        "address": member.address,
        "port": member.port,
        "arguments": member.options(),
        "environment": member.environment(),
    }


def vllm_cluster_command(command: Mapping[str, Any], member: Mapping[str, Any], nodes: int) -> dict[str, Any]:
    placed = cluster.Member(member["rank"], nodes, member["runtime"], member["port"], member["head"], member["address"])
    alone = Command(command["entrypoint"], command["arguments"], command["environment"], command["warnings"])
    entrypoint, arguments = placed.start(alone)
    return {**command, "entrypoint": entrypoint, "arguments": arguments}


def _member(
    nodes: Sequence[str],
    name: str,
    addresses: Mapping[str, str],
    runtime: str,
    port: Any,
    facts: Mapping[str, Any],
) -> cluster.Member:
    address = str(addresses.get(name) or "")
    return cluster.Member(
        rank=list(nodes).index(name) if name in nodes else 0,  # told where the cluster is checked
        nodes=len(nodes),
        runtime=runtime,
        port=int(port or cluster.PORTS[runtime]),
        head=str(addresses.get(nodes[0]) or ""),
        address=address,
        interface=cluster.interface(address, facts),
    )


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "vllm_cluster_command": vllm_cluster_command,
            "vllm_cluster_member": vllm_cluster_member,
            "vllm_cluster_notes": cluster.notes,
            "vllm_cluster_problems": cluster.problems,
        }
