# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on who can reach the server: told whatever the checks say, for an open server works well for everybody."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_exposure import (
    NETWORK,
    SAFE_RELEASE,
    Exposure,
    judge,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Setup

_EVERYWHERE = "0.0.0.0"


def open_to_all(setup: Setup) -> Cause | None:
    """The network reaches it, and it asks for no key. Source: its own answer without key; docker inspect."""
    exposure = _exposure(setup)
    if not exposure.open_to_all:
        return None
    return Cause(
        f"{_where(setup, exposure)}, and no API key is asked for",
        "Everybody who reaches this machine can use the server. Docker's published ports pass by ufw.",
        "Publish it on 127.0.0.1 only (gpunode_listen_address), or give the server a key (gpunode_api_key).",
        CERTAIN if exposure.listens_on else LIKELY,
    )


def unsafe_release(setup: Setup) -> Cause | None:
    """Reachable, and of a release that must not be. Source: CVE-2026-48746 and CVE-2026-115911, fixed in 0.32.0."""
    exposure, release = _exposure(setup), setup.release
    if exposure.scope != NETWORK or release is None or release >= SAFE_RELEASE:
        return None
    return Cause(
        f"{_where(setup, exposure)}, and runs vLLM {'.'.join(map(str, release))}",
        "Up to vLLM 0.20.2 a crafted Host header passes by the API key (CVE-2026-48746), and up to 0.31 requests can "
        "stop the server (CVE-2026-115911).",
        "Use vLLM 0.32.0 or later, or publish it on 127.0.0.1 only, behind a proxy that checks the Host header.",
        CERTAIN if exposure.listens_on else LIKELY,
    )


def key_in_arguments(setup: Setup) -> Cause | None:
    """The key is on the command line. Source: vLLM's log prints it up to 0.28, docker inspect and ps always do."""
    if "api-key" not in setup.arguments:
        return None
    return Cause(
        "the server was started with --api-key",
        "A command line shows the key to every user of the node (ps) and to docker inspect; vLLM up to 0.28 also "
        "writes it into its log.",
        "Give the key as VLLM_API_KEY in an environment file that only root can read, as gpunode_api_key does, and "
        "replace this one.",
        CERTAIN,
    )


RULES: tuple[Callable[[Setup], Cause | None], ...] = (open_to_all, unsafe_release, key_in_arguments)


def _exposure(setup: Setup) -> Exposure:
    server = setup.server
    state = EndpointState(
        str(server.get("base_url") or ""), version=server.get("version"), auth_required=server.get("auth_required")
    )
    # As the node sees it: a name is not resolved here, for this may be another machine.
    host = urllib.parse.urlsplit(state.base_url).hostname
    return judge(state, local=host in (None, "localhost", "127.0.0.1", "::1"), listens_on=_listens_on(setup))


def _listens_on(setup: Setup) -> list[str]:
    """The addresses on which Docker publishes the container."""
    if (setup.container.get("HostConfig") or {}).get("NetworkMode") == "host":
        return [str(setup.arguments.get("host") or _EVERYWHERE)]
    published = (setup.container.get("NetworkSettings") or {}).get("Ports") or {}
    return [binding.get("HostIp") or _EVERYWHERE for bindings in published.values() for binding in bindings or []]


def _where(setup: Setup, exposure: Exposure) -> str:
    if exposure.listens_on:
        return f"the server listens on {', '.join(exposure.listens_on)}"
    return f"the server answers at {setup.server.get('base_url')}"
