# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role nvidia_container_toolkit makes of its readings: whom a reload would hit, what is downloaded when."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).parents[3] / "roles/nvidia_container_toolkit"
PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
CDI = '[{"Driver":"cdi","Count":0,"DeviceIDs":["nvidia.com/gpu=all"],"Capabilities":[["gpu"]],"Options":{}}]'
GPUS_FLAG = '[{"Driver":"","Count":-1,"DeviceIDs":null,"Capabilities":[["gpu"]],"Options":{}}]'
DEVICE = '[{"PathOnHost":"/dev/nvidia0","PathInContainer":"/dev/nvidia0","CgroupPermissions":"rwm"}]'


def value(name: str, **variables: Any) -> Any:
    """What the variable of the role comes to beside these."""
    loader = DataLoader()
    known = {
        **loader.load_from_file(str(ROLE / "defaults/main.yml"), trusted_as_template=True),
        **loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True),
        **variables,
    }
    return Templar(loader=loader, variables=known).template(known[name])


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("/theirs nvidia null null", ["theirs"]),
        (f"/theirs runc {CDI} []", ["theirs"]),
        (f"/theirs runc {GPUS_FLAG} []", ["theirs"]),
        (f"/theirs runc null {DEVICE}", ["theirs"]),
        (f"/a runc null []\n/b nvidia null []\n/c runc {CDI} []", ["b", "c"]),
        ("/nvidia-exporter runc null []", []),
        ('/disk runc [] [{"PathOnHost":"/dev/sda"}]', []),
        ("/gpunode-gpu-proof nvidia null []", []),
        ("", []),
    ],
)
def test_containers_that_have_a_gpu(line: str, names: list[str]) -> None:
    found = value("__nvidia_container_toolkit_others_with_gpu", __nvidia_container_toolkit_others={"stdout": line})
    assert found == names


def test_where_no_container_runs_nobody_is_hit() -> None:
    skipped = {"skipped": True, "changed": False}
    assert value("__nvidia_container_toolkit_others_with_gpu", __nvidia_container_toolkit_others=skipped) == []


def test_the_format_is_one_for_docker() -> None:
    assert value("__nvidia_container_toolkit_gpu_format").startswith("{{.Name}} {{.HostConfig.Runtime}} {{json ")


def _installed(*versions: str) -> dict[str, str]:
    return {"stdout": "".join(f"ii  {name} {version}\n" for name, version in zip(PACKAGES, versions, strict=False))}


@pytest.mark.parametrize(
    ("installed", "is_there"),
    [
        (("1.20.0-1",) * 4, True),
        (("1.20.0-1",) * 3, False),
        (("1.20.0-1",) * 3 + ("1.19.0-1",), False),
        (("1.19.0-1",) * 4, False),
        ((), False),
    ],
)
def test_nothing_is_downloaded_that_is_there(installed: tuple[str, ...], is_there: bool) -> None:
    known = {
        "__nvidia_container_toolkit_dpkg_before": _installed(*installed),
        "__nvidia_container_toolkit_wanted": "1.20.0-1",
    }
    assert value("__nvidia_container_toolkit_is_there", **known) is is_there


def test_the_download_takes_nothing_but_the_version() -> None:
    command = value("__nvidia_container_toolkit_download", __nvidia_container_toolkit_wanted="1.20.0-1")
    assert command[-4:] == [f"{name}=1.20.0-1" for name in PACKAGES]
    assert "--download-only" in command and "--allow-downgrades" not in command
    pinned = {"__nvidia_container_toolkit_wanted": "1.20.0-1", "nvidia_container_toolkit_version": "1.20.0"}
    assert "--allow-downgrades" in value("__nvidia_container_toolkit_download", **pinned)


def test_nothing_goes_before_its_successor_is_there() -> None:
    steps = [
        task.get("ansible.builtin.import_tasks") or task.get("ansible.builtin.import_role", {}).get("name", "")
        for task in yaml.safe_load((ROLE / "tasks/main.yml").read_text(encoding="utf-8"))
    ]
    order = ["toolserve.gpunode.apt_repository", "download.yml", "leftovers.yml", "install.yml"]
    assert [step for step in steps if step in order] == order


def test_nothing_is_purged() -> None:
    for path in (ROLE / "tasks").glob("*.yml"):
        assert not re.search(r"^\s+purge:", path.read_text(encoding="utf-8"), re.MULTILINE), path.name
