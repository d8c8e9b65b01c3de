# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a node has the disk space and the memory for what is to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB

_GB = 10**9
# The server process with its libraries; an estimate on the low side, for nothing was measured on a GPU.
_PROCESS_BYTES = 4 * GIB


def disk_shortages(needs: Iterable[Mapping[str, Any]], df: str) -> list[str]:
    """Reasons to stop, one for each file system that is too small for all that will be written to it.

    :param needs: mappings of ``path`` (which need not exist yet), ``bytes`` and ``what``.
    :param df: what ``df --block-size=1 --output=avail,source,file`` prints for these paths and the folders above them;
        without its line for a path that does not exist.
    """
    available = {}
    for line in df.splitlines():
        fields = line.split(None, 2)
        if len(fields) == 3 and fields[0].isdigit():
            available[fields[2]] = (int(fields[0]), fields[1])
    wanted: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for need in needs:
        if (system := _nearest(str(need["path"]), available)) is not None and int(need["bytes"]) > 0:
            wanted.setdefault(system, []).append(need)
    problems = []
    for (free, _source), parts in wanted.items():
        total = sum(int(part["bytes"]) for part in parts)
        if total > free:
            listed = " and ".join(f"{_gb(int(part['bytes']))} for {part['what']}" for part in parts)
            problems.append(
                f"The disk under {parts[0]['path']} has {_gb(free)} free, and {_gb(total)} are needed: {listed}. The "
                "download would fail half way. Make room (docker system df shows what Docker holds), or put Docker's "
                "data on a larger disk (data-root in /etc/docker/daemon.json)."
            )
    return problems


def memory_shortages(total_bytes: int, profile: Mapping[str, Any], accelerator: str) -> list[str]:
    """Reasons to stop, where the node has less memory than the server takes.

    On a CPU the weights and the KV cache (VLLM_CPU_KVCACHE_SPACE of the profile, GiB) are in it too.
    """
    return memory_shortages_of_all(total_bytes, [profile], accelerator)


def memory_shortages_of_all(total_bytes: int, profiles: Sequence[Mapping[str, Any]], accelerator: str) -> list[str]:
    """The same for several servers on one node, one for each profile."""
    plural = "es" if len(profiles) > 1 else ""
    parts = {f"the server process{plural} (estimate)": _PROCESS_BYTES * len(profiles)}
    if accelerator == "cpu":
        environments = [(profile.get("vllm") or {}).get("environment") or {} for profile in profiles]
        caches = [int(float(one.get("VLLM_CPU_KVCACHE_SPACE") or 0) * GIB) for one in environments]
        parts["the weights"] = sum(int((profile.get("bytes") or {}).get("checkpoint") or 0) for profile in profiles)
        parts["the KV cache"] = sum(caches)
    needed = sum(parts.values())
    if total_bytes >= needed:
        return []
    listed = ", ".join(f"{size / GIB:.1f} GiB for {what}" for what, size in parts.items() if size)
    return [
        f"This node has {total_bytes / GIB:.1f} GiB of memory, and {needed / GIB:.1f} GiB are needed: {listed}. The "
        "kernel would end the server (out of memory). Use a node with more memory, or a smaller model."
    ]


def _nearest(path: str, available: Mapping[str, tuple[int, str]]) -> tuple[int, str] | None:
    """The file system of the path, or of the nearest folder above it that exists."""
    places = (path, *map(str, PurePosixPath(path).parents))
    return next((available[place] for place in places if place in available), None)


def _gb(size: int) -> str:
    return f"{size / _GB:.0f} GB" if size >= 10 * _GB else f"{size / _GB:.1f} GB"
