# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the stand-ins into the cache, named like the images by a hash of their inputs."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from pathlib import Path

from .. import CACHE
from ..console import step
from ..engine import install_packages
from .apt_repository import Key, keyring, write_repository
from .payload import driver_files
from .relations import VENDORS, Package, vendor

_HERE = Path(__file__).parent
_TOOLS = {"gcc": "gcc", "gpg": "gpg", "gpgconf": "gpgconf"}
_RUNFILE_VERSION = "570.133.07"

# vendor -> name of the key, origin and label of its repositories, names of the key's file
_SIGNED = {
    "nvidia-debian": ("nvidia", "NVIDIA", "NVIDIA CUDA"),
    "nvidia-ubuntu": ("nvidia", "NVIDIA", "NVIDIA CUDA"),
    "toolkit": ("toolkit", "https://nvidia.github.io/libnvidia-container", "libnvidia-container"),
    "leftovers": ("bench", "Ubuntu", "Ubuntu"),
    "kernel": ("bench", "Debian", "Debian"),
}
_KEY_FILES = {
    "nvidia": (
        "cuda/debian12/x86_64/3bf863cc.pub",
        "cuda/ubuntu2404/x86_64/3bf863cc.pub",
        "cuda/debian13/x86_64/8793F200.pub",
    ),
    "toolkit": ("toolkit/gpgkey",),
    "bench": ("keys/bench.asc",),
}


def ensure() -> tuple[Path, dict[str, str]]:
    """The folder that nodes mount and the fingerprints of its keys; built when the inputs have changed."""
    path = CACHE / f"nvidia-{_digest()}"
    if not path.exists():
        missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
        if missing:
            with step(f"Installing {', '.join(missing)}"):
                install_packages(*missing)
        CACHE.mkdir(parents=True, exist_ok=True)
        with (
            step("Building the stand-ins of NVIDIA's repositories (about 10 seconds)"),
            tempfile.TemporaryDirectory(prefix="nvidia-partial-", dir=CACHE) as folder,
        ):
            _build(Path(folder) / path.name)
            # Older ones stay until `make clean`: a node may have them mounted.
            (Path(folder) / path.name).rename(path)
    return path, json.loads((path / "fingerprints.json").read_text())


def _digest() -> str:
    digest = hashlib.sha256(platform.release().encode())
    for path in sorted(_HERE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(_HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _build(folder: Path) -> None:
    repositories = folder / "repository"
    packages: dict[str, list[tuple[str, Package]]] = {}
    for name in VENDORS:
        listed = vendor(name)
        for repository in listed.repositories:
            packages.setdefault(repository, []).extend((name, package) for package in listed.packages)
    with keyring() as home:
        keys = {name: Key(home, name) for name in _KEY_FILES}
        for repository, entries in packages.items():
            first = entries[0][0]
            key, origin, label = _SIGNED.get(first) or _SIGNED[repository]
            write_repository(
                repositories / repository, [package for _name, package in entries], keys[key], origin, label
            )
        for name, paths in _KEY_FILES.items():
            for path in paths:
                (repositories / path).parent.mkdir(parents=True, exist_ok=True)
                (repositories / path).write_bytes(keys[name].public())
    shutil.copytree(_HERE / "node", folder / "node")
    _write_runfile(folder / "runfile")
    fingerprints = {name: key.fingerprint for name, key in keys.items()}
    (folder / "fingerprints.json").write_text(json.dumps(fingerprints, indent=2) + "\n")


def _write_runfile(folder: Path) -> None:
    made = driver_files(_RUNFILE_VERSION)
    for name, (data, mode) in made.files.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
    for name, target in made.links.items():
        (folder / name.lstrip("/")).symlink_to(target)
