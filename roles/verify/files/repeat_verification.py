# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeats the check of the tool calls on the node, without Ansible, and keeps the textfile for Prometheus fresh.

    repeat_verification.py SETTINGS.json CHECKS.json

CHECKS.json holds the collection's own code, file by file: standard library only. Prints the summary, which the systemd
journal keeps. Exits with 1 when the check has not passed.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PACKAGE = Path("ansible_collections/toolserve/gpunode/plugins/module_utils")


def main() -> int:
    settings, sources = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        (folder / PACKAGE).mkdir(parents=True)
        for name, text in sources.items():
            (folder / PACKAGE / name).write_text(text, encoding="utf-8")
        sys.path.insert(0, folder)
        return verify(settings)


def verify(settings: dict[str, Any]) -> int:
    from ansible_collections.toolserve.gpunode.plugins.module_utils import evidence, evidence_formats
    from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
    from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_result import results
    from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, run

    client = OpenAIClient(settings["base_url"], settings["api_key"] or None, timeout=settings["timeout"])
    profile = settings["profile"]
    options = Options(model=profile.get("served_name"), seed=secrets.randbelow(2**31), profile=profile)
    found = results(run(client, options))
    document = evidence.build(
        settings["host"],
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        found,
        name=settings.get("name", ""),
        profile=profile,
        secrets=[settings["api_key"]],
    )
    write(Path(settings["textfile"]), evidence_formats.prometheus_textfile(document))
    print(found["summary"])
    return 0 if found["passed"] else 1


def write(path: Path, text: str) -> None:
    """Whole or not at all: the exporter may read at any moment."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.chmod(0o644)
    os.replace(unfinished, path)


if __name__ == "__main__":
    sys.exit(main())
