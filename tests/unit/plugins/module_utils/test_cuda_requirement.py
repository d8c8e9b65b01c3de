# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.filter.cuda_requirement import cuda_requirement
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_requirement import (
    minimum_driver_of_all,
    requirement,
    runs_on,
)


@pytest.mark.parametrize(
    ("release", "cuda", "minimum_driver", "assumed"),
    [
        ("0.9.2", "12.8", "570.124.06", False),
        ("0.11.0", "12.8", "570.124.06", False),
        ("0.11.1", "12.9", "570.124.06", False),
        ("0.17.1", "12.9", "570.124.06", False),
        ("0.19.1", "12.9", "570.124.06", True),
        ("0.20.0", "13.0", "580.65.06", False),
        ("0.32.0", "13.0", "580.65.06", False),
        ("0.33.0", "13.0", "580.65.06", False),
        ("0.34.0", "13.0", "580.65.06", True),
    ],
)
def test_cuda_and_driver_follow_from_the_release(release: str, cuda: str, minimum_driver: str, assumed: bool) -> None:
    found = requirement(release)
    assert (found.cuda, found.minimum_driver, found.assumed) == (cuda, minimum_driver, assumed)


def test_volta_was_dropped_with_cuda_13() -> None:
    assert runs_on("7.0", requirement("0.17.1").compute_capabilities)
    assert not runs_on("7.0", requirement("0.20.0").compute_capabilities)


@pytest.mark.parametrize(
    ("capability", "runs"),
    [("6.1", False), ("7.0", False), ("7.5", True), ("8.6", True), ("8.9", True), ("12.1", True), ("13.0", False)],
)
def test_kernels_run_on_their_own_major_number_only(capability: str, runs: bool) -> None:
    assert runs_on(capability, requirement("0.32.0").compute_capabilities) is runs


def test_a_lower_minor_number_than_was_built_for_does_not_suffice() -> None:
    assert not runs_on("8.6", ["8.9"])
    assert runs_on("8.9", ["8.6"])
    assert not runs_on("9.0", ["10.0"]) and not runs_on("10.0", ["9.0"])


@pytest.mark.parametrize(
    ("image", "cuda"),
    [
        ("vllm/vllm-openai:v0.32.0", "13.0"),
        ("vllm/vllm-openai:v0.32.0-cu129", "12.9"),
        ("registry.example:5000/vllm:v0.32.0-cu129-ubuntu2404@sha256:cu128", "12.9"),
        ("registry.example/x-cu129/vllm:v0.32.0", "13.0"),
        ("vllm/vllm-openai:v0.32.0-cu130", "13.0"),
    ],
)
def test_a_tag_may_name_another_cuda(image: str, cuda: str) -> None:
    found = requirement("0.32.0", image)
    assert (found.cuda, found.assumed) == (cuda, cuda != "13.0")


def test_a_cuda_between_or_before_the_listed_ones_has_a_driver_too() -> None:
    assert requirement("0.32.0", "vllm:v0.32.0-cu131").minimum_driver == "580.65.06"
    assert requirement("0.32.0", "vllm:v0.32.0-cu126").minimum_driver == "570.124.06"


@pytest.mark.parametrize("release", ["latest", "", "0.8.5", "v"])
def test_what_is_no_release_is_refused(release: str) -> None:
    with pytest.raises(AnsibleFilterError, match="no vLLM release from"):
        cuda_requirement(release)


def test_the_filter_returns_plain_data() -> None:
    found = cuda_requirement("0.32.0")
    assert set(found) == {
        "cuda", "minimum_driver", "recommended_driver", "compute_capabilities", "assumed", "basis"
    }  # fmt: skip
    assert isinstance(found["compute_capabilities"], list)


def test_several_images_need_the_newest_of_their_drivers() -> None:
    assert minimum_driver_of_all([("0.32.0", ""), ("0.9.2", "")]) == requirement("0.32.0").minimum_driver
    assert minimum_driver_of_all([("0.9.2", "vllm/vllm-openai:v0.9.2-cu130"), ("0.9.2", "")]) == "580.65.06"
    assert minimum_driver_of_all([("latest", ""), ("0.9.2", "")]) == requirement("0.9.2").minimum_driver
    assert minimum_driver_of_all([("latest", ""), ("0.1.0", "")]) == ""
