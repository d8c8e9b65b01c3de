# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""What the comparison takes from PyPI, pinned and cached: releases of transformers, and the models' own templates."""

from __future__ import annotations

import ast
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.bench.console import BenchError, step
from tests.bench.images import CACHE

HERE = Path(__file__).parent
FOLDER = CACHE / "chat-templates"
RELEASES = ("4.51.1", "4.57.6", "5.23.0")  # of transformers: vLLM 0.9.2's oldest, the last 4.x, the newest
_REFERENCES = HERE / "references.txt"


def python_with_transformers(release: str) -> Path:
    """The interpreter of an environment with this release and no torch; made on first use (about 250 MB)."""
    lock = HERE / f"transformers-{release}.txt"
    folder = FOLDER / f"transformers-{release}-{_digest(lock)}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        with step(f"Installing transformers {release}"):
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(lock))
            ready.touch()
    return python


def own_templates() -> dict[str, str]:
    """The models' own templates, under the names of ours: for comparison only, they are no part of the repository."""
    wheels = FOLDER / f"references-{_digest(_REFERENCES)}"
    if not (wheels / ".ready").exists():
        with step("Downloading copies of the models' own templates"):
            shutil.rmtree(wheels, ignore_errors=True)
            _run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
                *("--require-hashes", "--dest", str(wheels), "--requirement", str(_REFERENCES)),
            )
            (wheels / ".ready").touch()
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


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _run(*command: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise BenchError(f"{' '.join(command)} failed (see above). Check the network and pip's index, then try again.")
