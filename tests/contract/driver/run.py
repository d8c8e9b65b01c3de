# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""All checks on the release that this interpreter's path has. See `python -m tests.contract --help`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import checks_chat
import checks_loading
from report import Report
from scripts import corpus
from server import ChatServer


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plugin", type=Path, required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, help="where the result goes, as JSON")
    options = parser.parse_args()
    report = Report()
    checks_loading.load(report, options.plugin)
    checks_chat.check_all(report, ChatServer(), corpus(options.cases))
    found = {name: dataclasses.asdict(category) for name, category in report.categories.items()}
    options.report.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
