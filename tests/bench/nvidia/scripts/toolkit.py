# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's Container Toolkit for the stand-in driver: nvidia-ctk and nvidia-container-runtime, by name.

A container gets the GPU as the real one does it: device nodes with their cgroup rules, the driver's libraries and
nvidia-smi as mounts. The runtime edits the container's config.json; a CDI specification is read by the engine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

VERSION = "@VERSION@"
CONFIG = Path("/etc/nvidia-container-runtime/config.toml")
CDI_KIND = "nvidia.com/gpu"
CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
CDI_OUTPUT = "/var/run/cdi/nvidia.yaml"
DEVICES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1")
LIBRARY_FOLDER = Path("/usr/lib/x86_64-linux-gnu")
STATE = "/run/nvidia-standin"
_DEFAULT_CONFIG = """\
#accept-nvidia-visible-devices-as-volume-mounts = false
#accept-nvidia-visible-devices-envvar-when-unprivileged = true
disable-require = false
supported-driver-capabilities = "compat32,compute,display,graphics,ngx,utility,video"
#swarm-resource = "DOCKER_RESOURCE_GPU"

[nvidia-container-cli]
environment = []
ldconfig = "@/sbin/ldconfig"
load-kmods = true
#no-cgroups = false

[nvidia-container-runtime]
log-level = "info"
mode = "auto"
runtimes = ["runc", "crun"]

[nvidia-container-runtime-hook]
path = "nvidia-container-runtime-hook"
skip-mode-detection = false

[nvidia-ctk]
path = "nvidia-ctk"
"""


def mounts(root: Path = Path("/")) -> list[tuple[str, str]]:
    """Pairs of a path of the node and a path of the container: what of the driver is there."""
    pairs = []
    for name in LIBRARIES:
        library = root / LIBRARY_FOLDER.relative_to("/") / name
        if library.exists():
            real = library.resolve()
            pairs += [(str(real), str(LIBRARY_FOLDER / name)), (str(real), str(LIBRARY_FOLDER / real.name))]
    for path in ("usr/bin/nvidia-smi", STATE.strip("/")):
        if (root / path).exists():
            pairs.append((str(root / path), f"/{path}"))
    return pairs


def device_numbers(paths: tuple[str, ...] = DEVICES) -> list[tuple[str, int, int]]:
    """Path, major and minor number of the device nodes that are there."""
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        if stat.S_ISCHR(status.st_mode):
            found.append((path, os.major(status.st_rdev), os.minor(status.st_rdev)))
    return found


def wants_gpu(config: dict[str, Any]) -> bool:
    """Whether a container's config.json asks for GPUs; "void" says that CDI has given them already."""
    environment = dict(entry.split("=", 1) for entry in config.get("process", {}).get("env", []) if "=" in entry)
    return environment.get("NVIDIA_VISIBLE_DEVICES", "") not in ("", "none", "void")


def with_gpu(
    config: dict[str, Any], devices: list[tuple[str, int, int]], pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    """The config.json of a container (OCI runtime specification) with the GPU in it; the one given stays as it is."""
    edited: dict[str, Any] = json.loads(json.dumps(config))
    linux = edited.setdefault("linux", {})
    rules = linux.setdefault("resources", {}).setdefault("devices", [])
    for path, major, minor in devices:
        linux.setdefault("devices", []).append(
            {"path": path, "type": "c", "major": major, "minor": minor, "fileMode": 0o666, "uid": 0, "gid": 0}
        )
        rules.append({"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"})
    for source, destination in pairs:
        edited.setdefault("mounts", []).append(
            {"source": source, "destination": destination, "type": "bind", "options": ["ro", "nosuid", "nodev", "bind"]}
        )
    return edited


def cdi_specification(devices: list[tuple[str, int, int]], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """What the Container Device Interface of the engine is to know of the GPU."""
    nodes = [path for path, _major, _minor in devices]
    gpu = {"deviceNodes": [{"path": path} for path in nodes if path == "/dev/nvidia0"]}
    return {
        "cdiVersion": "0.5.0",
        "kind": CDI_KIND,
        "devices": [{"name": name, "containerEdits": gpu} for name in ("0", "all")],
        "containerEdits": {
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],
            "deviceNodes": [{"path": path} for path in nodes if path != "/dev/nvidia0"],
            "mounts": [
                {"hostPath": source, "containerPath": destination, "options": ["ro", "nosuid", "nodev", "bind"]}
                for source, destination in pairs
            ],
        },
    }


def runtime(arguments: list[str]) -> None:
    """nvidia-container-runtime: edit the bundle where a container is made, then become runc."""
    if any(word in arguments for word in ("create", "run")):
        bundle = next(
            (Path(after) for before, after in itertools.pairwise(arguments) if before in ("--bundle", "-b")), Path()
        )
        path = bundle / "config.json"
        config = json.loads(path.read_text())
        if wants_gpu(config):
            if not device_numbers():
                sys.exit(
                    "nvidia-container-runtime: failed to create NVIDIA runtime: no NVIDIA device nodes on this node"
                )
            path.write_text(json.dumps(with_gpu(config, device_numbers(), mounts())))
    runc = shutil.which("runc") or shutil.which("crun")
    if runc is None:
        sys.exit("nvidia-container-runtime: no runtime binary found from candidate list: [runc crun]")
    os.execv(runc, [runc, *arguments])


def ctk(arguments: list[str]) -> int:
    """nvidia-ctk, as far as roles call it."""
    parser = argparse.ArgumentParser(prog="nvidia-ctk")
    parser.add_argument(
        "--version", "-v", action="version", version=f"NVIDIA Container Toolkit CLI version {VERSION}\ncommit: standin"
    )
    parser.add_argument("--debug", "--quiet", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)
    cdi = commands.add_parser("cdi").add_subparsers(dest="action", required=True)
    generate = cdi.add_parser("generate")
    generate.add_argument("--output", default=os.environ.get("NVIDIA_CTK_CDI_OUTPUT_FILE_PATH", ""))
    generate.add_argument("--format", default="yaml")
    cdi.add_parser("list")
    configure = commands.add_parser("runtime").add_subparsers(dest="action", required=True).add_parser("configure")
    configure.add_argument("--runtime", default="docker")
    configure.add_argument("--config", default="/etc/docker/daemon.json")
    configure.add_argument("--dry-run", action="store_true")
    configure.add_argument("--set-as-default", "--nvidia-set-as-default", action="store_true")
    configure.add_argument("--cdi.enabled", "--cdi.enable", "--enable-cdi", dest="cdi", action="store_true")
    config = commands.add_parser("config")
    config.add_argument("--in-place", action="store_true")
    config.add_argument("--config-file", "--config", default=str(CONFIG))
    chosen = parser.parse_args(arguments)
    if chosen.command == "config":
        return _config(Path(chosen.config_file), chosen.in_place)
    if chosen.command == "runtime":
        return _configure(Path(chosen.config), chosen)
    return _generate(chosen.output) if chosen.action == "generate" else _list()


def _config(path: Path, in_place: bool) -> int:
    text = path.read_text() if path.exists() else _DEFAULT_CONFIG
    if not in_place:
        sys.stdout.write(text)
    elif not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


def _configure(path: Path, chosen: argparse.Namespace) -> int:
    """Like the real one: an existing features object is lost with --cdi.enabled, an empty file is an error."""
    try:
        config = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        print(f"unable to load config: {error}", file=sys.stderr)
        return 1
    config.setdefault("runtimes", {})["nvidia"] = {"args": [], "path": "nvidia-container-runtime"}
    if chosen.set_as_default:
        config["default-runtime"] = "nvidia"
    if chosen.cdi:
        config["features"] = {"cdi": True}
    text = json.dumps(config, indent=4, sort_keys=True)
    if chosen.dry_run:
        print(text)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print("Wrote updated config to", path, file=sys.stderr)
    return 0


def _generate(output: str) -> int:
    devices = device_numbers()
    if not devices:
        print("failed to generate CDI spec: failed to create device CDI specs: no NVIDIA device nodes", file=sys.stderr)
        return 1
    # JSON is YAML too.
    text = json.dumps(cdi_specification(devices, mounts()), indent=2) + "\n"
    if not output:
        sys.stdout.write(text)
        return 0
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(text)
    partial.rename(path)
    return 0


def _list() -> int:
    names = set()
    for folder in CDI_FOLDERS:
        for path in sorted(folder.glob("*.yaml")) + sorted(folder.glob("*.json")):
            specification = json.loads(path.read_text())
            names |= {f"{specification['kind']}={device['name']}" for device in specification["devices"]}
    print(f'time="standin" level=info msg="Found {len(names)} CDI devices"', file=sys.stderr)
    for name in sorted(names):
        print(name)
    return 0


def main() -> int:
    name = Path(sys.argv[0]).name
    if name == "nvidia-container-runtime":
        runtime(sys.argv[1:])
    if name == "nvidia-ctk":
        return ctk(sys.argv[1:])
    return 0  # nvidia-cdi-hook and nvidia-container-runtime-hook: the mounts above need no hooks


if __name__ == "__main__":
    sys.exit(main())
