# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes for changed options of dockerd to come into force, and what that does to running containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import same

# https://docs.docker.com/reference/cli/dockerd/#configuration-reload-behavior and moby's daemon/reload.go. Both have
# "features" too, but its members (cdi, containerd-snapshotter) are looked at when the daemon starts.
_RELOADED = frozenset(
    {
        "authorization-plugins",
        "debug",
        "default-runtime",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    }
)

# What running containers rest on: live-restore brings them through a restart only where none of these has changed
# (https://docs.docker.com/engine/daemon/live-restore/).
_UNDER_CONTAINERS = frozenset(
    {
        "bip",
        "bip6",
        "bridge",
        "cgroup-parent",
        "containerd",
        "containerd-namespace",
        "containerd-plugins-namespace",
        "data-root",
        "default-address-pools",
        "default-gateway",
        "default-gateway-v6",
        "exec-opts",
        "exec-root",
        "firewall-backend",
        "fixed-cidr",
        "fixed-cidr-v6",
        "icc",
        "ip",
        "ip-forward",
        "ip-masq",
        "ip6tables",
        "iptables",
        "ipv6",
        "mtu",
        "storage-driver",
        "storage-opts",
        "userland-proxy",
        "userland-proxy-path",
        "userns-remap",
    }
)


@dataclass(frozen=True)
class Effect:
    """Top-level options, in the order of the file."""

    changed: list[str]
    restart: list[str]
    """Those that dockerd looks at only when it starts; for the others a SIGHUP is enough."""
    stranding: list[str]
    """Those of a restart that running containers do not get through, even with live-restore."""


def effect(before: dict[str, Any], after: dict[str, Any]) -> Effect:
    """Compare the options of two documents."""
    changed = [
        key
        for key in dict.fromkeys([*after, *before])
        if (key in before) != (key in after) or not same(before[key], after[key])
    ]
    restart = [key for key in changed if key not in _RELOADED]
    stranding = [key for key in restart if key in _UNDER_CONTAINERS or _switches_image_store(key, before, after)]
    return Effect(changed, restart, stranding)


def _switches_image_store(key: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    return key == "features" and not same(_image_store(before), _image_store(after))


def _image_store(options: dict[str, Any]) -> Any:
    features = options.get("features")
    return features.get("containerd-snapshotter") if isinstance(features, dict) else None
