# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-playbook playbooks/verify.yml -e verify_url=…`, as a user runs it, and what it leaves."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from tests.bench.ansible import REPOSITORY, captured_playbook

_SCHEMA = json.loads((REPOSITORY / "roles/verify/files/evidence.schema.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Verification:
    """``files``: the text of each file of evidence by its name."""

    exit_code: int
    output: str
    files: dict[str, str]

    @property
    def evidence(self) -> dict[str, Any]:
        """Valid by the published schema, or an exception."""
        document: dict[str, Any] = json.loads(self.files["localhost.json"])
        jsonschema.validate(document, _SCHEMA)
        return document

    @property
    def first_cause(self) -> str:
        """What was seen, and why."""
        first = self.evidence["causes"][0]
        return f"{first['symptom']} | {first['cause']}"


def verify(folder: Path, url: str, api_key: str, **settings: Any) -> Verification:
    """Run the play, and show what it says where a test fails. The key stands in nothing that it leaves."""
    given: dict[str, Any] = {"verify_url": url, "verify_api_key": api_key, "verify_report_dir": str(folder)}
    # What is asked must not decide: a small model copies one text better than another.
    given |= {"verify_seed": 1, **settings}
    started = time.monotonic()
    done = captured_playbook("playbooks/verify.yml", None, "-e", json.dumps(given))
    print(f"{done.stdout}\n{time.monotonic() - started:.0f} s")
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert api_key not in done.stdout + "".join(files.values())
    return Verification(done.returncode, done.stdout, files)
