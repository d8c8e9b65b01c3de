# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rented server: a container that boots its rescue system or its disks, always at the same address."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from tests.bench import LABEL
from tests.bench.hetzner.robot_server import Reset

_PARTS = Path(__file__).parent / "parts"
_INSTALLIMAGE = Path(__file__).parent / "installimage"
_SSH = 22


class Machine:
    """The hardware. Its disks are a folder of this computer; what runs on it is whichever container is powered.

    Like the real one it boots by itself when its system asks for a reboot, and starts the rescue system once only.
    """

    def __init__(self, client: docker.DockerClient, image: str, name: str, folder: Path) -> None:
        self.name = name
        self.hardware = folder
        self.port = _free_port()
        self.authorized_keys: Sequence[str] = ()  # of the next boot of the rescue system
        self.rescue_next = False
        self.firmware = "uefi"
        self.dead = False  # whatever is done to it, nothing boots
        self.volumes: dict[str, dict[str, str]] = {}  # of the system on its disks
        self._client = client
        self._image = image
        self._container: Container | None = None
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    # -- what the Robot API can do to it ---------------------------------------------------------------------

    def reset(self, kind: str = "hardware") -> None:
        """Cut its power, or press its button, and let it boot what comes next."""
        with self._lock:
            self._cut_power()
            self._boot()

    def pressed(self, reset: Reset) -> dict[str, str] | None:
        """A reset that Robot passes on; returns the host keys of the rescue system, where that comes up."""
        self.rescue_next = reset.rescue
        self.authorized_keys = reset.authorized_keys
        self.reset(reset.kind)
        return self.host_keys() if reset.rescue and not self.dead else None

    def power_off(self) -> None:
        with self._lock:
            self._cut_power()

    def host_keys(self) -> dict[str, str]:
        """The SHA-256 fingerprints of the host keys of the rescue system that has booted last, by the key's type."""
        deadline = time.monotonic() + 30
        while not (keys := sorted((self.hardware / "host_keys").glob("*.pub"))) and time.monotonic() < deadline:
            time.sleep(0.2)
        return {path.name.split("_")[2]: _fingerprint(path) for path in keys}

    # -- what a test does to it ------------------------------------------------------------------------------

    @property
    def system(self) -> str:
        """What runs: rescue, disk or nothing."""
        container = self._container
        if container is None:
            return "nothing"
        try:
            container.reload()
        except NotFound:
            return "nothing"
        return str(container.labels["bench-system"]) if container.status == "running" else "nothing"

    @property
    def wiped(self) -> list[str]:
        """The disks that installimage has erased, one after the other."""
        path = self.hardware / "wiped"
        return path.read_text().split() if path.exists() else []

    def has_disks(self, *disks: Mapping[str, Any]) -> None:
        (self.hardware / "lsblk.json").write_text(json.dumps({"blockdevices": list(disks)}, indent=2) + "\n")

    def fault(self, word: str = "") -> None:
        """Let installimage go wrong in this way from now on; without a word it goes right."""
        (self.hardware / "fault").unlink(missing_ok=True)
        if word:
            (self.hardware / "fault").write_text(f"{word}\n")

    def has_installed(self, hostname: str, public_key: str = "", installimage_conf: str = "") -> None:
        """Put a system on its disks, as somebody has installed it before."""
        system = self.hardware / "system"
        shutil.rmtree(system, ignore_errors=True)
        (system / "etc/ssh").mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-A", "-f", str(system)], check=True, capture_output=True)
        (system / "etc/hostname").write_text(f"{hostname}\n")
        if public_key:
            (system / "root/.ssh").mkdir(parents=True, mode=0o700)
            (system / "root/.ssh/authorized_keys").write_text(f"{public_key}\n")
        if installimage_conf:
            (system / "installimage.conf").write_text(installimage_conf)

    def power_on(self) -> None:
        with self._lock:
            self._boot()

    def run(self, *command: str) -> str:
        """Run a command in what runs, and return what it printed."""
        done = subprocess.run(
            ["docker", "exec", self.name, *command],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def remove(self) -> None:
        """Take it away with all that belongs to it."""
        with self._lock:
            self._cut_power()
            try:
                # Its files belong to root, who need not be the one that runs the tests.
                self._client.containers.run(
                    self._image,
                    ["sh", "-c", "rm -rf /srv/machine/*"],
                    volumes={str(self.hardware): {"bind": "/srv/machine", "mode": "rw"}},
                    remove=True,
                )
            finally:
                self._remove_container(self._disk_name)
                with contextlib.suppress(NotFound):
                    self._client.volumes.get(f"{self.name}-docker").remove(force=True)

    # -- how it works ----------------------------------------------------------------------------------------

    @property
    def _disk_name(self) -> str:
        return f"{self.name}-off"

    def _cut_power(self) -> None:
        container, self._container = self._container, None
        if container is None:
            return
        with contextlib.suppress(APIError, NotFound):  # it was on its way down
            container.kill()
        self._put_away(container)

    def _put_away(self, container: Container) -> None:
        """The rescue system is forgotten; what was on the disks stays, under another name."""
        if container.labels["bench-system"] == "rescue":
            self._remove_container(str(container.id))
        else:
            container.wait()
            container.rename(self._disk_name)

    def _boot(self) -> None:
        if self.dead:
            return
        rescue, self.rescue_next = self.rescue_next, False
        if rescue:
            shutil.rmtree(self.hardware / "host_keys", ignore_errors=True)
            (self.hardware / "authorized_keys").write_text("".join(f"{key}\n" for key in self.authorized_keys))
            container = self._create("rescue", "rescue")
        elif (self.hardware / "system/etc/hostname").exists():
            container = self._system_on_disk()
        else:
            return  # no bootable medium
        container.start()
        self._container = container
        threading.Thread(target=self._watch, args=(container,), daemon=True).start()

    def _system_on_disk(self) -> Container:
        """The container of the system that was installed last."""
        system = self.hardware / "system"
        installed = (system / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
        try:
            known = self._client.containers.get(self._disk_name)
        except NotFound:
            pass
        else:
            if known.labels["bench-installed"] == installed:
                known.rename(self.name)
                return known
            self._remove_container(self._disk_name)
        return self._create("disk", (system / "etc/hostname").read_text().strip(), installed)

    def _create(self, system: str, hostname: str, installed: str = "") -> Container:
        docker_data = {f"{self.name}-docker": {"bind": "/var/lib/docker", "mode": "rw"}}
        # As tests/bench/create_nodes.yml does it.
        return self._client.containers.create(
            self._image,
            name=self.name,
            hostname=hostname,
            labels={LABEL: "1", "bench-system": system, "bench-installed": installed},
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            cgroupns="host",
            tmpfs={"/run": "", "/run/lock": ""},
            environment={"BENCH_SYSTEM": system, "BENCH_FIRMWARE": self.firmware},
            ports={f"{_SSH}/tcp": ("127.0.0.1", self.port)},
            volumes={
                "/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"},
                str(self.hardware): {"bind": "/srv/machine", "mode": "rw"},
                str(_PARTS): {"bind": "/srv/bench/hetzner", "mode": "ro"},
                str(_INSTALLIMAGE): {"bind": "/srv/bench/installimage", "mode": "ro"},
                **(docker_data | self.volumes if system == "disk" else {}),
            },
        )

    def _watch(self, container: Container) -> None:
        """Boot again when the system has gone down by itself."""
        container.wait()
        with self._lock:
            if self._container is container:
                self._container = None
                self._put_away(container)
                self._boot()

    def _remove_container(self, name: str) -> None:
        with contextlib.suppress(NotFound):
            self._client.containers.get(name).remove(force=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _fingerprint(path: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]
