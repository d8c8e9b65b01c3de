# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the image of a vLLM release needs of the host: a driver for its CUDA, and a GPU that it was built for.

Since the container toolkit's default mode is no longer the old hook, nobody else checks this: an image that is too
new for the driver starts, and fails in CUDA (https://github.com/NVIDIA/nvidia-container-toolkit, 1.18).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import Release, parse_release


@dataclass(frozen=True)
class CudaRequirement:
    """``minimum_driver`` is a must, ``recommended_driver`` the one of that CUDA release itself.

    ``compute_capabilities`` are those that the image holds kernels for. ``assumed``: the release was not read, and has
    what the nearest known one has; ``basis`` says in words where the figures come from.
    """

    cuda: str
    minimum_driver: str
    recommended_driver: str
    compute_capabilities: tuple[str, ...]
    assumed: bool
    basis: str

    def as_dict(self) -> dict[str, Any]:
        """For filters."""
        return {**asdict(self), "compute_capabilities": list(self.compute_capabilities)}


@dataclass(frozen=True)
class _Image:
    since: Release
    cuda: str
    compute_capabilities: tuple[str, ...]
    read: bool
    basis: str


# The host's driver by the CUDA of the image: the least, and the one that NVIDIA ships with that CUDA.
# CUDA's own rule is wider (525 for all of 12.x, 580 for 13.x: docs.nvidia.com/deploy/cuda-compatibility), but kernels
# that are compiled on the node (PTX) need the driver of their CUDA. 13.x has 580 as its least either way. The exact
# versions are those of CUDA's release notes as remembered; they were not read again.
_DRIVERS = {
    "12.8": ("570.124.06", "570.124.06"),
    "12.9": ("570.124.06", "575.57.08"),
    "13.0": ("580.65.06", "580.95.05"),
}

_TO_VOLTA = ("7.0", "7.5", "8.0", "8.9", "9.0", "10.0", "12.0")
_TO_TURING = ("7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "11.0", "12.0")
_READ = "docker/Dockerfile in vLLM's source releases"
_IMAGES = (
    _Image((0, 9, 2), "12.8", _TO_VOLTA, True, f"{_READ}: CUDA 12.8.1 in 0.9.2 to 0.11.0"),
    _Image((0, 11, 1), "12.9", _TO_VOLTA, True, f"{_READ}: CUDA 12.9.1 in 0.11.1 to 0.17.1"),
    _Image((0, 18, 0), "12.9", _TO_VOLTA, False, "not read; the torch release is the one of 0.17.1 (CUDA 12.9.1)"),
    _Image((0, 20, 0), "13.0", _TO_TURING, True, f"{_READ}: CUDA 13.0.2 in 0.20 to 0.25.1, 13.0.3 in 0.28.0 to 0.33.0"),
)
_NEWEST_READ: Release = (0, 33, 0)
# The images of newer releases exist for the CUDA before as well, as v0.21.0-cu129.
_CUDA_IN_TAG = re.compile(r":[^@/]*[-.+]cu(\d{2})(\d)\b")


def requirement(release: str, image: str = "") -> CudaRequirement:
    """Of vLLM's own image of this release, such as 0.32.0.

    :param image: its full name, where a tag like v0.32.0-cu129 may say another CUDA.
    :raises ValueError: this is no release of vLLM, or none that old was ever read.
    """
    wanted = parse_release(release)
    if wanted is None or wanted < _IMAGES[0].since:
        raise ValueError(f"{release!r} is no vLLM release from 0.9.2 on, so that its CUDA is unknown")
    known = [row for row in _IMAGES if row.since <= wanted][-1]
    assumed = not known.read or wanted > _NEWEST_READ
    cuda, basis = known.cuda, known.basis
    if (in_tag := _CUDA_IN_TAG.search(image)) is not None and (tagged := f"{in_tag[1]}.{in_tag[2]}") != cuda:
        cuda, basis, assumed = tagged, f"the image's tag; {basis}", True
    minimum, recommended = _drivers(cuda)
    return CudaRequirement(cuda, minimum, recommended, known.compute_capabilities, assumed, basis)


def minimum_driver_of_all(images: Iterable[tuple[str, str]]) -> str:
    """The oldest driver that suffices for each of these images, given as release and name.

    Empty where no release is known; the role vllm refuses those that are none.
    """
    known = [requirement(release, image) for release, image in images if _readable(release)]
    return max((one.minimum_driver for one in known), key=lambda driver: [*map(int, driver.split("."))], default="")


def _readable(release: str) -> bool:
    known = parse_release(release)
    return known is not None and known >= _IMAGES[0].since


def runs_on(capability: str, compute_capabilities: Iterable[str]) -> bool:
    """Whether a GPU runs kernels built for these: those of its own major number, and of no higher minor one.

    Source: "binary compatibility" in NVIDIA's CUDA C++ Programming Guide.
    """
    major, minor = _numbers(capability)
    return any(major == built[0] and minor >= built[1] for built in map(_numbers, compute_capabilities))


def _drivers(cuda: str) -> tuple[str, str]:
    """A CUDA that is not listed has what the next older one needs, or else the oldest."""
    older = [known for known in _DRIVERS if _numbers(known) <= _numbers(cuda)]
    return _DRIVERS[older[-1] if older else next(iter(_DRIVERS))]


def _numbers(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
