# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import cluster
from ansible_collections.toolserve.gpunode.plugins.module_utils.serving import Command


def vllm_cluster_member(
    names: Sequence[str],
    name: str,
    nodes: Mapping[str, Mapping[str, Any]],
    release: str,
    runtime: str = cluster.AUTO,
    port: Any = "",
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    addresses = {node: str((nodes.get(node) or {}).get("address") or "") for node in (name, names[0])}
    chosen = cluster.runtime(runtime, release)
    member = cluster.Member(
        rank=list(names).index(name) if name in names else 0,  # told where the cluster is checked
        nodes=len(names),
        runtime=chosen,
        port=int(port or cluster.PORTS[chosen]),
        head=addresses[names[0]],
        address=addresses[name],
        interface=cluster.interface(addresses[name], facts or {}),
    )
    return {**asdict(member), "arguments": member.options(), "environment": member.environment()}


def vllm_cluster_command(command: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
    placed = cluster.Member(**{one.name: member[one.name] for one in fields(cluster.Member)})
    alone = Command(command["entrypoint"], command["arguments"], command["environment"], command["warnings"])
    entrypoint, arguments = placed.start(alone)
    return {**command, "entrypoint": entrypoint, "arguments": arguments}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "vllm_cluster_command": vllm_cluster_command,
            "vllm_cluster_member": vllm_cluster_member,
            "vllm_cluster_notes": cluster.notes,
            "vllm_cluster_problems": cluster.problems,
        }
