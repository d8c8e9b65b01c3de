# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the toolserve.gpunode authors
"""All checks on the release that this interpreter's path has. See `python -m tests.contract --help`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import checks_adapter
import checks_chat
import checks_grammar
import checks_loading
import checks_responses
from report import Report
from scripts import corpus
from server import ChatServer


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plugin", type=Path, required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True, help="where the result goes, as JSON")
    parser.add_argument("--not-enforced", action="store_true", help="only what differs where calls are not enforced")
    options = parser.parse_args()
    report, cases = Report(), corpus(options.cases)
    checks_loading.load(report, options.plugin)
    server = ChatServer()
    if options.not_enforced:
        report = Report()
        checks_grammar.check_without(report, server)
    else:
        checks_chat.check_all(report, server, cases)
        checks_adapter.check_all(report, server, cases)
        checks_responses.check_all(report, cases)
        checks_grammar.check_all(report, server)
    found = {name: dataclasses.asdict(category) for name, category in report.categories.items()}
    options.report.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
