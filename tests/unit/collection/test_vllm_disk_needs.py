# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the image is still to take of the disk, and of which one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = Path(__file__).parents[3] / "roles"
GB = 10**9


@pytest.mark.parametrize(
    ("source", "there", "state", "expected"),
    [
        ("pull", False, "inactive", 35 * GB),
        ("pull", False, "", 35 * GB),  # no systemd, or it did not say
        ("pull", False, "failed", 35 * GB),
        ("pull", False, "active", 0),
        ("pull", False, "activating", 0),
        ("pull", True, "inactive", 0),
        ("archive", False, "active", 2 * GB),  # of an earlier setting
    ],
)
def test_an_image_that_is_being_pulled_is_not_counted_once_more(
    source: str, there: bool, state: str, expected: int
) -> None:
    known = {
        "vllm_image_source": source,
        "vllm_image_disk_gb": 35,
        "__vllm_archive": {"stat": {"size": GB}},
        "__vllm_image_is_there": there,
        "__vllm_pull_state": {"stdout": state},
    }
    variables = _variables("vllm/vars/main/preflight.yml", "vllm/vars/main/pull.yml") | known
    assert int(_templated(variables["__vllm_own_disk_needs"][0]["bytes"], variables)) == expected


@pytest.mark.parametrize(
    ("docker_info", "told_by_the_role_docker", "expected"),
    [
        ("/var/lib/docker [[driver-type io.containerd.snapshotter.v1]]", {}, "/var/lib/containerd"),
        ("/data/docker [[Backing Filesystem extfs]]", {"data": "/other", "images": "/other"}, "/data/docker"),
        # Docker is not there yet.
        ("", {"data": "/data/docker", "images": "/var/lib/containerd"}, "/var/lib/containerd"),
        ("", {"data": "/data/docker", "images": "/data/docker"}, "/data/docker"),
        ("", None, "/var/lib/docker"),  # and the role docker does not run
    ],
)
def test_space_is_looked_for_where_docker_keeps_images(
    docker_info: str, told_by_the_role_docker: dict[str, str] | None, expected: str
) -> None:
    known: dict[str, Any] = {"__vllm_docker_info": {"stdout": docker_info}}
    if told_by_the_role_docker is not None:
        known["gpunode_docker_folders"] = told_by_the_role_docker
    variables = _variables("vllm/vars/main/preflight.yml") | known
    assert _templated(variables["__vllm_image_root"], variables) == expected


@pytest.mark.parametrize(
    ("daemon_json", "is_new", "expected"),
    [
        ({}, True, {"data": "/var/lib/docker", "images": "/var/lib/containerd"}),
        ({"data-root": "/data"}, True, {"data": "/data", "images": "/var/lib/containerd"}),
        (
            {"data-root": "/data", "features": {"containerd-snapshotter": False}},
            True,
            {"data": "/data", "images": "/data"},
        ),
        ({"features": {"cdi": True}}, False, {"data": "/var/lib/docker", "images": "/var/lib/docker"}),
    ],
)
def test_a_new_engine_of_dockers_keeps_images_apart(
    daemon_json: dict[str, Any], is_new: bool, expected: dict[str, str]
) -> None:
    variables = _variables("docker/vars/main/preflight.yml")
    variables |= {"__docker_merged": daemon_json, "__docker_source_is_new": is_new}
    assert _templated(variables["__docker_folders"], variables) == expected


def _variables(*files: str) -> dict[str, Any]:
    loader = DataLoader()
    return {
        name: value
        for file in files
        for name, value in loader.load_from_file(str(ROLES / file), trusted_as_template=True).items()
    }


def _templated(template: Any, variables: dict[str, Any]) -> Any:
    return Templar(loader=DataLoader(), variables=variables).template(template)
