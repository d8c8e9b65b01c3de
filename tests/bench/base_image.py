# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian base images: pulled where a registry answers, made with debootstrap where none does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from . import LABEL
from .console import BenchError, Ticker, say, step
from .engine import install_packages

_SUITES = {"12": "bookworm", "13": "trixie"}


def ensure(client: docker.DockerClient, release: str) -> str:
    """The name of a local Debian image of this release ("12" or "13").

    BENCH_DEBIAN_12 and BENCH_DEBIAN_13 name another image to use.

    :raises BenchError: the image is absent and can neither be pulled nor made here.
    """
    chosen = os.environ.get(f"BENCH_DEBIAN_{release}")
    if chosen:
        return chosen if _present(client, chosen) else _pull(client, chosen)
    official, own = f"debian:{release}-slim", f"toolserve-bench/debian:{release}"
    for name in (official, own):
        if _present(client, name):
            return name
    try:
        with step(f"Pulling {official}"):
            return _pull(client, official)
    except BenchError as error:
        say(f"    no registry answers ({str(error).splitlines()[-1][:90]}): making the image with debootstrap")
    with step(f"Debian {release} with debootstrap (about 1 minute)"):
        return _debootstrap(client, _SUITES[release], own)


def _present(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _pull(client: docker.DockerClient, name: str) -> str:
    try:
        client.images.pull(name)
    except APIError as error:
        raise BenchError(f"The image {name} cannot be pulled:\n{error.explanation or error}") from error
    return name


def _debootstrap(client: docker.DockerClient, suite: str, name: str) -> str:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BenchError(
            f"The image {name} is absent, no registry answers, and debootstrap needs root on Debian or Ubuntu.\n"
            "Name an image that this engine has with BENCH_DEBIAN_12 and BENCH_DEBIAN_13."
        )
    if shutil.which("debootstrap") is None:
        install_packages("debootstrap", "debian-archive-keyring")
    ticker = Ticker()
    with tempfile.TemporaryDirectory(prefix="toolserve-bench-") as folder:
        root = Path(folder) / suite
        process = subprocess.Popen(
            ["debootstrap", "--variant=minbase", suite, str(root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            ticker.tell(line)
        if process.wait() != 0:
            raise BenchError(f"debootstrap {suite} failed:\n{''.join(lines[-5:])}")
        archive = Path(folder) / "root.tar"
        subprocess.run(["tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), "."], check=True)
        repository, tag = name.split(":")
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=[f"LABEL {LABEL}=1"])
    return name
