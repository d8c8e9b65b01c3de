# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.docker_daemon_effect import effect


@pytest.mark.parametrize(
    ("before", "after", "changed", "restart", "stranding"),
    [
        ({}, {}, [], [], []),
        ({"a": 1, "b": {"c": 2}}, {"b": {"c": 2}, "a": 1}, [], [], []),
        ({}, {"live-restore": True, "debug": True}, ["live-restore", "debug"], [], []),
        ({}, {"runtimes": {"nvidia": {}}, "default-runtime": "nvidia"}, ["runtimes", "default-runtime"], [], []),
        ({}, {"log-driver": "local", "labels": []}, ["log-driver", "labels"], ["log-driver"], []),
        ({"log-opts": {}}, {}, ["log-opts"], ["log-opts"], []),
        ({"mtu": 1}, {"mtu": 1.0}, ["mtu"], ["mtu"], ["mtu"]),
        ({"debug": None}, {}, ["debug"], [], []),
        ({"data-root": "/a"}, {"data-root": "/b"}, ["data-root"], ["data-root"], ["data-root"]),
        ({}, {"features": {"cdi": True}}, ["features"], ["features"], []),
        ({"features": {"buildkit": True}}, {"features": {"containerd-snapshotter": True}}, *[["features"]] * 3),
        ({"features": {"containerd-snapshotter": True}}, {"features": {"containerd-snapshotter": True, "cdi": True}},
         ["features"], ["features"], []),
        ({}, {"an-option-of-the-future": 1}, ["an-option-of-the-future"], ["an-option-of-the-future"], []),
    ],
)  # fmt: skip
def test_effect(
    before: dict[str, Any], after: dict[str, Any], changed: list[str], restart: list[str], stranding: list[str]
) -> None:
    found = effect(before, after)
    assert (found.changed, found.restart, found.stranding) == (changed, restart, stranding)
