# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents as their owners write them into daemon.json: options that dockerd 23 to 29 accepts, drawn at random."""

from __future__ import annotations

import json
from random import Random
from typing import Any

LOGGING: list[dict[str, Any]] = [
    {},
    {"log-driver": "json-file"},
    {"log-opts": {"max-size": "7m"}},
    {"log-driver": "json-file", "log-opts": {"max-size": "10m", "labels": "production_status", "env": "os,customer"}},
    {"log-driver": "local", "log-opts": {"max-size": "20m", "compress": "false"}},
    {"log-driver": "journald", "log-opts": {"tag": "{{.Name}}/{{.ID}}"}},
    {"log-driver": "syslog", "log-opts": {"syslog-address": "udp://127.0.0.1:514"}},
    {"log-driver": "fluentd", "log-opts": {"fluentd-address": "127.0.0.1:24224"}},
    {"log-driver": "none"},
]
ULIMITS = [
    {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}},
    {"nofile": {"Name": "nofile", "Hard": 2048}},
    {"memlock": {"Name": "memlock", "Hard": -1, "Soft": -1}},
]
OTHERS: list[dict[str, Any]] = [
    {"live-restore": True},
    {"live-restore": False},
    {"default-ulimits": {}},
    *({"default-ulimits": limits} for limits in ULIMITS),
    {"debug": True},
    {"log-level": "warn"},
    {"data-root": "/srv/docker"},
    {"bip": "172.30.0.1/16"},
    {"mtu": 1450},
    {"dns": ["192.0.2.53", "2001:db8::53"], "dns-search": ["example.org"]},
    {"insecure-registries": ["registry.example.org:5000"]},
    {"registry-mirrors": ["https://mirror.example.org"]},
    {"default-address-pools": [{"base": "10.123.0.0/16", "size": 24}, {"base": "10.124.0.0/16", "size": 26}]},
    {"exec-opts": ["native.cgroupdriver=systemd"]},
    {"features": {"buildkit": True}},
    {"runtimes": {"kata": {"path": "/usr/bin/kata-runtime"}}},
    {"runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime", "runtimeArgs": []}}},
    {"max-concurrent-downloads": 6},
    {"shutdown-timeout": 30},
    {"storage-driver": "overlay2"},
    {"labels": ["rack=7", "owner=Jürgen"]},
    {"metrics-addr": "127.0.0.1:9323", "experimental": False},
    {"builder": {"gc": {"enabled": True, "defaultKeepStorage": "20GB"}}},
    {"proxies": {"http-proxy": "http://proxy.example.org:3128", "no-proxy": "localhost"}},
    {"icc": False, "userland-proxy": False},
    {"default-shm-size": "1G"},
    {"seccomp-profile": "builtin", "no-new-privileges": True},
]
INDENTS = [None, 2, 4, 8, "\t"]


def document(random: Random) -> dict[str, Any]:
    """The options of one owner, in an order of its own."""
    parts = [random.choice(LOGGING), *random.sample(OTHERS, random.randrange(len(OTHERS)))]
    items = [item for part in parts for item in part.items()]
    random.shuffle(items)
    return dict(items)


def text(random: Random) -> str:
    """A document in one of the styles that owners use."""
    return json.dumps(
        document(random), indent=random.choice(INDENTS), ensure_ascii=random.random() < 0.5
    ) + random.choice(["", "\n", "\n\n"])
