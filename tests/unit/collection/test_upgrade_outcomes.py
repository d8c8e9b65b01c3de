# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What upgrade.yml ends with: the switch and the way back are the role's, what is around them are stand-ins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.plays

REPOSITORY = Path(__file__).parents[3]
OLD = {"image": "old@sha256:1", "image_id": "sha256:1", "ports": {"8000/tcp": [{"HostIp": "", "HostPort": "8000"}]}}
DEBUG = {"ansible.builtin.debug": {"msg": "nothing"}}


def _fails(cause: str, when: str) -> dict[str, Any]:
    return {"ansible.builtin.fail": {"msg": cause}, "when": when}


def _steps(record: Path) -> dict[str, list[dict[str, Any]]]:
    """Tasks of the roles, by file. ``said`` of the model decides what happens in them."""
    down = "verify_down_since | float > 0"
    return {
        "models/select": [{"ansible.builtin.set_fact": {"said": "{{ gpunode_model.said }}"}}],
        "model_weights/main": [DEBUG],
        "vllm/upgrade": [
            {"ansible.builtin.stat": {"path": str(record)}, "register": "__vllm_record_file"},
            {
                "ansible.builtin.copy": {"content": json.dumps(OLD), "dest": str(record)},
                "when": "not __vllm_record_file.stat.exists",
            },
        ],
        "vllm/project": [_fails("no project", "said.project_fails | default(false)")],
        "vllm/run": [
            {
                "ansible.builtin.command": "true",
                "changed_when": "gpunode_upgrade_cause is defined or said.switches | default(true)",
                "register": "__vllm_started",
            },
        ],
        "vllm/upgrade_done": [{"ansible.builtin.file": {"path": str(record), "state": "absent"}}],
        "verify/main": [
            {"ansible.builtin.set_fact": {"verify_downtime_seconds": 12.5}, "when": down},
            _fails("no tool calls", "said.unproven | default(false) and verify_rolled_back_because is not defined"),
        ],
    }


def upgraded(folder: Path, *models: dict[str, Any], cut_off: bool = False) -> tuple[int, str]:
    """The exit status, and all that was printed on one line."""
    collection, project = folder / "ansible_collections/toolserve/gpunode", folder / "vllm"
    record = project / "upgrade/record.json"
    record.parent.mkdir(parents=True)
    if cut_off:
        record.write_text(json.dumps(OLD))
    for name, content in (("vllm.env", ""), ("profile.json", "{}"), ("compose.yaml", "")):
        for place in (project, record.parent):
            (place / name).write_text(content)
    for path, tasks in _steps(record).items():
        role, _, name = path.partition("/")
        file = collection / "roles" / role / "tasks" / f"{name}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(tasks))
    for name in ("upgrade_switch.yml", "upgrade_roll_back.yml"):
        shutil.copy(REPOSITORY / "roles/vllm/tasks" / name, collection / "roles/vllm/tasks")
    (collection / "roles/vllm/vars").mkdir()
    shutil.copy(REPOSITORY / "roles/vllm/vars/main/operation.yml", collection / "roles/vllm/vars/main.yml")
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"vllm_project_dir": str(project), "vllm_project_name": "vllm", "vllm_image": "new"},
        "tasks": [
            {
                "ansible.builtin.include_tasks": str(REPOSITORY / "playbooks/tasks/upgrade.yml"),
                "loop": [{"name": f"model-{index}", "said": said} for index, said in enumerate(models)],
                "loop_control": {"loop_var": "gpunode_model"},
            }
        ],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "play.yml"],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)  # shown where a test fails
    assert not record.exists()
    return done.returncode, " ".join(done.stdout.split())


def test_each_model_has_its_own_outcome(tmp_path: Path) -> None:
    status, said = upgraded(tmp_path, {}, {"switches": False})
    assert status == 0
    assert said.count("Nothing answered for 12.5 s.") == 1 and said.count("Nothing had to change.") == 1


def test_what_was_switched_and_is_not_proven_is_taken_back(tmp_path: Path) -> None:
    status, said = upgraded(tmp_path, {"unproven": True})
    assert status == 2
    assert (
        "old@sha256:1 serves again and has been proven, 12.5 s after it was stopped" in said and "no tool calls" in said
    )


def test_where_nothing_was_switched_nothing_is_taken_back(tmp_path: Path) -> None:
    status, said = upgraded(tmp_path, {}, {"switches": False, "unproven": True})
    assert status == 2
    assert (
        "nothing to take back" in said.partition("Say that there was nothing to take back")[2]
        and "no tool calls" in said
    )
    assert "serves again" not in said and "neither" not in said.replace("Say that neither serves", "")


def test_what_an_upgrade_that_was_cut_off_has_left_is_taken_back(tmp_path: Path) -> None:
    status, said = upgraded(tmp_path, {"switches": False, "unproven": True}, cut_off=True)
    assert status == 2 and "serves again and has been proven, 12.5 s after it was stopped" in said


def test_a_failure_before_the_switch_keeps_its_cause(tmp_path: Path) -> None:
    status, said = upgraded(tmp_path, {"project_fails": True})
    assert status == 2 and "The upgrade was taken back" in said and "no project" in said
