# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker engine to work with: the one that answers, or one that is installed and started here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import docker
from docker.errors import DockerException

from .console import BenchError, say, step

_STATE = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "toolserve-gpunode"
_START_SECONDS = 60


def connect() -> docker.DockerClient | None:
    """The engine that answers (DOCKER_HOST is honoured), or None."""
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except DockerException:
        return None
    return client


def ensure() -> docker.DockerClient:
    """The engine that answers; else, as root on Debian or Ubuntu, install and start one.

    :raises BenchError: no engine answers and none can be started by this user on this system.
    """
    client = connect()
    if client is None:
        _refuse_unless_we_may_install()
        if shutil.which("dockerd") is None:
            with step("No Docker engine answers: installing docker.io (about 1 minute)"):
                install_packages("docker.io")
        with step("Starting the Docker engine"):
            client = _start()
    say(f"    Docker engine {client.version()['Version']}")
    return client


def install_packages(*names: str) -> None:
    """Install Debian packages on this machine (root only; the caller has said so)."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *names]):
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode != 0:
            raise BenchError(f"{' '.join(command)} failed:\n{result.stderr.strip() or result.stdout.strip()}")


def _refuse_unless_we_may_install() -> None:
    host = os.environ.get("DOCKER_HOST")
    if host:
        raise BenchError(f"No Docker engine answers at DOCKER_HOST={host}. Start it, or unset DOCKER_HOST.")
    if os.geteuid() != 0:
        raise BenchError(
            "No Docker engine answers, and this user is not root. Either start Docker and join its group\n"
            "(sudo systemctl start docker; sudo usermod -aG docker $USER; log in again), or run as root on\n"
            "Debian or Ubuntu, where an engine is installed for you."
        )
    if shutil.which("apt-get") is None:
        raise BenchError(
            "No Docker engine answers, and this is neither Debian nor Ubuntu: install and start Docker by your\n"
            "system's own means (https://docs.docker.com/engine/install/), then run this again."
        )


def _start() -> docker.DockerClient:
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=False)
        log_hint = "journalctl -u docker"
    else:
        _STATE.mkdir(parents=True, exist_ok=True)
        log = _STATE / "dockerd.log"
        log_hint = str(log)
        with log.open("ab") as output:
            # No service manager here: the engine runs on by itself after the bench has ended.
            subprocess.Popen(
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        say(f"    no systemd here: started dockerd by hand (log: {log})")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        client = connect()
        if client is not None:
            return client
        time.sleep(1)
    raise BenchError(f"The Docker engine did not answer within {_START_SECONDS} s of its start. See {log_hint}.")
