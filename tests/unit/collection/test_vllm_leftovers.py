# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role vllm leaves on a node: a token that was withdrawn, and images after a removal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.plays

REPOSITORY = Path(__file__).parents[3]
KEPT = "toolserve.gpunode/vllm:before-upgrade"


def play(folder: Path, tasks: list[dict[str, Any]], **settings: Any) -> str:
    """What was printed."""
    said = {"vllm_project_dir": str(folder), "__vllm_container": "vllm-server", **settings}
    (folder / "settings.yml").write_text(json.dumps(said))
    files = [str(REPOSITORY / "roles/vllm" / name) for name in ("defaults/main.yml", "vars/main/operation.yml")]
    one = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [*files, "settings.yml"],
        "tasks": tasks,
    }
    (folder / "play.yml").write_text(json.dumps([one]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "play.yml"],
        cwd=folder,
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _about_the_token() -> list[dict[str, Any]]:
    """The role's own tasks, without the owner, whom only root can set."""
    tasks = yaml.safe_load((REPOSITORY / "roles/vllm/tasks/project.yml").read_text())
    found = [task for task in tasks if "vllm_hf_token" in str(task.get("when"))]
    for task in found:
        for module in ("ansible.builtin.copy", "ansible.builtin.file"):
            for name in ("owner", "group"):
                task.get(module, {}).pop(name, None)
    return found


def test_a_token_that_was_withdrawn_does_not_stay(tmp_path: Path) -> None:
    token = tmp_path / "hf_token"
    play(tmp_path, _about_the_token(), vllm_hf_token="canary")
    assert token.read_text() == "canary" and token.stat().st_mode & 0o777 == 0o600
    assert "changed=1" in play(tmp_path, _about_the_token(), vllm_hf_token="")
    assert not token.exists()
    assert "changed=0" in play(tmp_path, _about_the_token(), vllm_hf_token="")


@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize(("kept", "images"), [("0123456789ab", ["served:1", KEPT]), ("", ["served:1"])])
def test_the_image_that_an_upgrade_has_kept_is_told(tmp_path: Path, remove: bool, kept: str, images: list[str]) -> None:
    told = {"images": "{{ __vllm_images_to_remove }}", "goes": "{{ __vllm_removed }}", "stays": "{{ __vllm_kept }}"}
    play(
        tmp_path,
        [{"ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": "told.json"}}],
        told=told,
        vllm_project_name="vllm",
        vllm_remove_image=remove,
        __vllm_container_to_remove={"stdout": "served:1"},
        __vllm_kept_image_to_remove={"stdout": kept},
        __vllm_files={"results": []},
        __vllm_volumes={"stdout_lines": []},
    )
    result = json.loads((tmp_path / "told.json").read_text())
    assert result["images"] == (images if remove else [])
    named = [f"image {name}" for name in images]
    assert result["goes"] == ["container vllm-server", *(named if remove else [])]
    assert sorted(result["stays"]) == ([] if remove else sorted(named))  # in no order


def test_without_its_container_only_the_kept_image_is_told(tmp_path: Path) -> None:
    play(
        tmp_path,
        [{"ansible.builtin.copy": {"content": "{{ __vllm_removed | to_json }}", "dest": "told.json"}}],
        vllm_project_name="vllm",
        vllm_remove_image=True,
        __vllm_container_to_remove={"stdout": ""},
        __vllm_kept_image_to_remove={"stdout": "0123456789ab"},
        __vllm_files={"results": []},
        __vllm_volumes={"stdout_lines": []},
    )
    assert json.loads((tmp_path / "told.json").read_text()) == [f"image {KEPT}"]
