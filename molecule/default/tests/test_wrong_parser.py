# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate closes on real vLLM: with a parser for another format the play fails and names the cause. Runs last."""

from __future__ import annotations

import json

from playing import play


def test_a_parser_for_another_format_fails_the_play():
    tool_calls = {"parser": "hermes", "parser_plugin": None}
    settings = json.dumps({"gpunode_profile_overrides": {"tool_calls": tool_calls}})
    result = play("--tags", "vllm,verify", "--extra-vars", settings)
    message = " ".join((result.stdout + result.stderr).split())
    assert result.returncode != 0
    assert "MarkupLeak" in message
    assert '<tools>{"name": "read"' in message
    assert "--tool-call-parser qwen_tools" in message
