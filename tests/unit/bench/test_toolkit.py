# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in of the container toolkit: what it makes of a container's config.json, and its CDI specification."""

from __future__ import annotations

import copy

import pytest

from tests.bench.nvidia.scripts import toolkit

DEVICES = [("/dev/nvidia0", 195, 0), ("/dev/nvidiactl", 195, 255)]
MOUNTS = [("/usr/bin/nvidia-smi", "/usr/bin/nvidia-smi")]


def config(*environment: str) -> dict:
    rules = [{"allow": False, "access": "rwm"}]
    return {
        "process": {"env": ["PATH=/usr/bin", *environment]},
        "mounts": [{"destination": "/proc"}],
        "linux": {"resources": {"devices": rules}},
    }


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        (["NVIDIA_VISIBLE_DEVICES=all"], True),
        (["NVIDIA_VISIBLE_DEVICES=0"], True),
        (["NVIDIA_VISIBLE_DEVICES=void"], False),
        (["NVIDIA_VISIBLE_DEVICES=none"], False),
        (["NVIDIA_VISIBLE_DEVICES="], False),
        ([], False),
    ],
)
def test_a_container_asks_by_its_environment(environment, wanted):
    assert toolkit.wants_gpu(config(*environment)) is wanted


def test_the_gpu_is_added_and_the_rest_stays():
    before = config("NVIDIA_VISIBLE_DEVICES=all")
    untouched = copy.deepcopy(before)
    after = toolkit.with_gpu(before, DEVICES, MOUNTS)
    assert before == untouched
    assert after["process"] == before["process"]
    assert [mount["destination"] for mount in after["mounts"]] == ["/proc", "/usr/bin/nvidia-smi"]
    assert [device["path"] for device in after["linux"]["devices"]] == ["/dev/nvidia0", "/dev/nvidiactl"]
    first, *added = after["linux"]["resources"]["devices"]
    assert first == {"allow": False, "access": "rwm"}
    assert added[1] == {"allow": True, "type": "c", "major": 195, "minor": 255, "access": "rwm"}


def test_a_container_without_limits_gets_the_gpu_too():
    assert toolkit.with_gpu({}, DEVICES, MOUNTS)["linux"]["devices"][0]["major"] == 195


def test_mounts_are_what_is_there(tmp_path):
    library = tmp_path / "usr/lib/x86_64-linux-gnu/libcuda.so.595.91.07"
    library.parent.mkdir(parents=True)
    library.write_text("")
    (library.parent / "libcuda.so.1").symlink_to(library.name)
    destinations = [destination for _source, destination in toolkit.mounts(tmp_path)]
    assert destinations == [
        "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.595.91.07",
    ]


def test_the_cdi_specification_names_the_devices():
    specification = toolkit.cdi_specification(DEVICES, MOUNTS)
    assert [device["name"] for device in specification["devices"]] == ["0", "all"]
    assert specification["containerEdits"]["env"] == ["NVIDIA_VISIBLE_DEVICES=void"]
    assert specification["containerEdits"]["deviceNodes"] == [{"path": "/dev/nvidiactl"}]
    assert specification["containerEdits"]["mounts"][0]["hostPath"] == "/usr/bin/nvidia-smi"
