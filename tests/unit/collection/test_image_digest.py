# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image the role vllm takes for the one that was asked for, by what the node says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.profiles import reading

ROLE = reading.ROOT / "roles/vllm"
NAME = "vllm/vllm-openai:v0.32.0"
ID, DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "abc")
PULLED = {"rc": 0, "stdout": f"{ID} vllm/vllm-openai@{DIGEST}"}
LOADED = {"rc": 0, "stdout": ID}
ABSENT = {"rc": 1, "stdout": "", "stderr": "No such image"}

# title: what the node says, the settings, what the compose file names, whether it is there, of what the reasons speak
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str, bool, list[str]]] = {
    "tag alone": (LOADED, {}, NAME, True, []),
    "tag alone, absent": (ABSENT, {}, NAME, False, []),
    "digest in the name": (PULLED, {"vllm_image": f"{NAME}@{DIGEST}"}, f"{NAME}@{DIGEST}", True, []),
    "digest beside it": (PULLED, {"vllm_image_digest": DIGEST}, f"{NAME}@{DIGEST}", True, []),
    "digest still to pull": (ABSENT, {"vllm_image_digest": DIGEST}, f"{NAME}@{DIGEST}", False, []),
    "two digests": (
        PULLED,
        {"vllm_image": f"{NAME}@{DIGEST}", "vllm_image_digest": OTHER},
        f"{NAME}@{OTHER}",
        False,
        ["Say it once"],
    ),
    "no digest": (PULLED, {"vllm_image_digest": "sha256:abc"}, f"{NAME}@sha256:abc", False, ["which is none"]),
    "loaded, its id": (LOADED, {"vllm_image_digest": ID, "vllm_image_source": "present"}, NAME, True, []),
    "loaded, the registry's digest": (
        LOADED,
        {"vllm_image_digest": DIGEST, "vllm_image_source": "present"},
        NAME,
        False,
        ["has no digest of a registry, only an id"],
    ),
    "another one is there, and no archive": (
        LOADED,
        {"vllm_image_digest": OTHER, "vllm_image_source": "archive"},
        NAME,
        False,
        [f"is {ID} and not {OTHER}"],
    ),
    "another one is there, and an archive": (
        LOADED,
        {"vllm_image_digest": OTHER, "vllm_image_source": "archive", "__vllm_archive": {"stat": {"exists": True}}},
        NAME,
        False,
        [],
    ),
}


pytestmark = pytest.mark.plays


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    names = {
        "image": "__vllm_image",
        "pull": "__vllm_image_to_pull",
        "there": "__vllm_image_is_there",
        "reasons": "__vllm_image_reasons_to_stop",
    }
    asked = f"{{{', '.join(f'{title!r}: {name}' for title, name in names.items())}}}"
    # Each on a host of its own: facts of one case must not reach the next.
    plays = [
        {
            "hosts": f"case{number}",
            "gather_facts": False,
            "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main/image.yml")],
            "vars": {"__vllm_image_found": found},
            "tasks": [
                {"ansible.builtin.set_fact": settings, "when": bool(settings)},
                {
                    "ansible.builtin.copy": {
                        "content": f"{{{{ {asked} | to_json }}}}",
                        "dest": str(folder / f"{number}.json"),
                    }
                },
            ],
        }
        for number, (found, settings, *_expected) in enumerate(CASES.values())
    ]
    playbook = folder / "plays.yml"
    playbook.write_text(json.dumps(plays))
    hosts = ",".join(f"case{number}" for number in range(len(plays))) + ","
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", hosts, "-c", "local", str(playbook)],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(reading.ROOT / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("title", CASES)
def test_the_image_is_the_one_that_was_asked_for(answers: Path, title: str) -> None:
    _found, _settings, image, there, reasons = CASES[title]
    answer = json.loads((answers / f"{list(CASES).index(title)}.json").read_text())
    assert (answer["image"], answer["there"]) == (image, there)
    name, at, digest = image.partition("@")
    assert answer["pull"] == (f"{name.removesuffix(':v0.32.0')}@{digest}" if at else name)
    assert len(answer["reasons"]) == len(reasons), answer["reasons"]
    for reason, told in zip(reasons, answer["reasons"], strict=True):
        assert reason in " ".join(told.split())
