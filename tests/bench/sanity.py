# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-test sanity` on a copy of what the collection ships: it insists on a path below ansible_collections/."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import CACHE
from .ansible import REPOSITORY

# ansible-test downloads get-pip.py into this cache before anything else. With this one in its place its virtual
# environments get pip from Python itself, then the version they want from the package index that pip is set up for.
_GET_PIP = """\
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"])
wanted = [part for part in sys.argv[1:] if part not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
"""
_NOT_SHIPPED = ("benchmarks/", "collections/", "molecule/", "tests/")
_PIP_OF_CORE_2_19 = "24_2"


def run() -> int:
    """Copy, test, and return the exit code."""
    root = CACHE / "sanity"  # not below the clone: what its git ignores, ansible-test would skip
    collection = root / "ansible_collections/toolserve/gpunode"
    shutil.rmtree(collection, ignore_errors=True)
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, tracked.stdout.split("\0")):
        source = REPOSITORY / name
        if source.is_file() and (name == "tests/config.yml" or not name.startswith(_NOT_SHIPPED)):
            target = collection / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    home = root / "home"
    cache = home / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{_PIP_OF_CORE_2_19}.py").write_text(_GET_PIP)
    _write_pip_settings(home / ".config/pip/pip.conf")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-test"), "sanity", "--local", "--python", version, "--color", "no"],
        cwd=collection,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


def _write_pip_settings(target: Path) -> None:
    """The user's pip settings as a file: ansible-test passes no variables such as PIP_INDEX_URL on."""
    settings = configparser.RawConfigParser()
    settings.read(Path.home() / ".config/pip/pip.conf")
    if not settings.has_section("global"):
        settings.add_section("global")
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            settings.set("global", name.removeprefix("PIP_").lower().replace("_", "-"), value)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w") as output:
        settings.write(output)
