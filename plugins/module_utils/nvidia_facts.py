# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a plan for the driver follows from, read from the node; nothing is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    apt_policy,
    apt_sources,
    cuda_probe,
    cuda_state,
    dkms_status,
    dpkg_status,
    kernel_module,
    libcuda_file,
    node_kernels,
    nvidia_runfile,
    pci_gpus,
    secure_boot,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_policy import Policy
from ansible_collections.toolserve.gpunode.plugins.module_utils.apt_sources import Repository
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_probe import CudaAnswer
from ansible_collections.toolserve.gpunode.plugins.module_utils.cuda_state import CudaState
from ansible_collections.toolserve.gpunode.plugins.module_utils.dkms_status import DkmsModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.dpkg_status import Package
from ansible_collections.toolserve.gpunode.plugins.module_utils.kernel_module import KernelModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.libcuda_file import Libcuda
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import read_text
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_kernels import Kernels
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package import DriverPackage, classify, kind
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_package_names import name_schemes
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_runfile import Runfile
from ansible_collections.toolserve.gpunode.plugins.module_utils.nvidia_target import (
    Distribution,
    Wish,
    read_distribution,
    target,
)

_REPOSITORY_MARKS = ("nvidia", "/cuda", "graphics-drivers")
_KEY_FOLDERS = ("etc/apt/keyrings", "etc/apt/trusted.gpg.d", "usr/share/keyrings")
_KEY_MARKS = ("nvidia", "cuda")
_SNAP_DOCKER = "snap/bin/docker"
# Without persistence mode the driver prepares every GPU anew.
_CUDA_TIMEOUT_SECONDS = 60.0
# What the role takes for fresh too. The stamp is what apt's daily jobs and Ansible go by.
_LISTS_STAY_FRESH_SECONDS = 3600
_LISTS, _UPDATE_STAMP = "var/lib/apt/lists", "var/lib/apt/periodic/update-success-stamp"


@dataclass(frozen=True)
class NodeFacts:
    """The readings, each documented where it is read; the module returns most of them.

    ``cuda`` is null where CUDA was not started: without library or loaded module there is nothing to start.
    ``modules_loadable`` is false in a container that has the kernel modules of its host.
    """

    distribution: Distribution
    dpkg: tuple[Package, ...]
    packages: tuple[DriverPackage, ...]
    policy: Mapping[str, Policy]
    apt_lists: bool
    apt_lists_fresh: bool
    repositories: tuple[Repository, ...]
    keys: tuple[str, ...]
    dkms: tuple[DkmsModule, ...]
    kernels: Kernels
    module: KernelModule
    modules_loadable: bool
    libcuda: Libcuda
    cuda: CudaState | None
    gpus: tuple[dict[str, Any], ...]
    secure_boot: bool | None
    secure_boot_key_enrolled: bool | None
    runfile: Runfile
    snap_docker: bool
    reboot_required: tuple[str, ...] | None
    boot_free_bytes: int

    @property
    def cuda_works(self) -> bool:
        """CUDA starts, sees a GPU, and library and loaded module are of one version."""
        return self.cuda is not None and self.cuda.cause is None

    def as_dict(self) -> dict[str, Any]:
        """For return values."""
        return {
            "distribution": {
                "id": self.distribution.id,
                "release": self.distribution.release,
                "architecture": self.distribution.architecture,
            },
            "packages": [package.as_dict() for package in self.packages],
            "dkms": [module.as_dict() for module in self.dkms],
            "kernels": self.kernels.as_dict(),
            "module": self.module.as_dict(),
            "modules_loadable": self.modules_loadable,
            "libcuda": self.libcuda.as_dict(),
            "cuda": None if self.cuda is None else self.cuda.as_dict(),
            "gpus": list(self.gpus),
            "nouveau_loaded": self.module.other_driver is not None,
            "secure_boot": self.secure_boot,
            "secure_boot_key_enrolled": self.secure_boot_key_enrolled,
            "runfile": self.runfile.as_dict(),
            "snap_docker": self.snap_docker,
            "repositories": [repository.as_dict() for repository in _of_nvidia(self.repositories)],
            "keys": list(self.keys),
            "reboot_required_file": self.reboot_required is not None,
            "boot_free_bytes": self.boot_free_bytes,
            "policy": {
                name: {"installed": policy.installed, "candidate": policy.candidate}
                for name, policy in sorted(self.policy.items())
            },
        }


def look(wish: Wish, root: Path, ask: Ask, start_cuda: Callable[[float], CudaAnswer] = cuda_probe.ask) -> NodeFacts:
    """Read the node.

    :param root: where its files are found.
    :param ask: runs a command on it and returns what that prints.
    :param start_cuda: starts CUDA on it.
    """
    distribution = read_distribution(root, ask)
    packages = dpkg_status.read(ask)
    kernels = node_kernels.read(root, packages, ask)
    policy = apt_policy.read(_names(wish, distribution, kernels, packages), ask)
    libcuda = libcuda_file.read(root, ask)
    module = kernel_module.read(root, dict.fromkeys((kernels.running, *kernels.installed)), ask)
    # Where no module is loaded, a start of CUDA as root would load it, and this only reads.
    running = libcuda.path is not None and module.loaded_version is not None
    secure = secure_boot.read(root)
    return NodeFacts(
        distribution=distribution,
        dpkg=packages,
        packages=classify(packages, _origins(policy)),
        policy=policy,
        apt_lists=any((root / _LISTS).glob("*Packages*")),
        apt_lists_fresh=_fresh(root),
        repositories=tuple(apt_sources.read(root)),
        keys=_keys(root),
        dkms=dkms_status.parse(ask(("dkms", "status"))),
        kernels=kernels,
        module=module,
        modules_loadable=kernel_module.loadable(root),
        libcuda=libcuda,
        cuda=cuda_state.look(_CUDA_TIMEOUT_SECONDS, root, start_cuda) if running else None,
        gpus=tuple(pci_gpus.read(root).gpus),
        secure_boot=secure,
        secure_boot_key_enrolled=secure_boot.key_enrolled(root, distribution.id, ask) if secure else None,
        runfile=nvidia_runfile.read(root, libcuda, ask),
        snap_docker=(root / _SNAP_DOCKER).exists(),
        reboot_required=_reboot_required(root),
        boot_free_bytes=_free_bytes(root / "boot") or _free_bytes(root),
    )


def kernel_flavour(kernels: Kernels) -> str:
    """The end of the meta packages of the running kernel's flavour."""
    return (kernels.meta_headers_package or "linux-headers-generic").removeprefix("linux-headers-")


def _names(wish: Wish, distribution: Distribution, kernels: Kernels, packages: Iterable[Package]) -> list[str]:
    """All that the plan may want to know of apt, whatever GPUs there are."""
    names = [package.name for package in packages if kind(package)]
    for open_flavour in (False, True):
        wanted = target(wish, distribution, open_flavour)
        for scheme in name_schemes(wanted, distribution, kernel_flavour(kernels)):
            names += scheme
    metas = (kernels.meta_headers_package, kernels.meta_image_package)
    exact = (node_kernels.headers_package(kernel) for kernel in (kernels.running, kernels.next_boot))
    return [*names, *exact, *(name for name in metas if name)]


def _origins(policy: Mapping[str, Policy]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(name, version): origins for name, known in policy.items() for version, origins in known.versions.items()}


def _of_nvidia(repositories: Iterable[Repository]) -> Iterable[Repository]:
    return (found for found in repositories if any(mark in found.uri.lower() for mark in _REPOSITORY_MARKS))


def _keys(root: Path) -> tuple[str, ...]:
    files = (path for folder in _KEY_FOLDERS for path in sorted((root / folder).glob("*")))
    return tuple(f"/{path.relative_to(root)}" for path in files if any(mark in path.name for mark in _KEY_MARKS))


def _fresh(root: Path) -> bool:
    """Whether apt's package lists are recent enough to prove that a package is nowhere."""
    for name in (_UPDATE_STAMP, _LISTS):
        try:
            return time.time() - (root / name).stat().st_mtime < _LISTS_STAY_FRESH_SECONDS
        except OSError:
            continue
    return False


def _reboot_required(root: Path) -> tuple[str, ...] | None:
    """The packages that want a reboot; null where none is wanted."""
    if not (root / "run/reboot-required").exists():
        return None
    return tuple((read_text(root / "run/reboot-required.pkgs") or "").split())


def _free_bytes(folder: Path) -> int:
    try:
        figures = os.statvfs(folder)
    except OSError:
        return 0
    return figures.f_bavail * figures.f_frsize
