# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tool call parser for <tools> as many are written: right for a whole answer, and in a stream nothing comes."""

from __future__ import annotations

import json
import re
from typing import Any

from vllm.entrypoints.generate.base.protocol import ExtractedToolCallInformation, FunctionCall, ToolCall
from vllm.tool_parsers.abstract_tool_parser import ToolParser, ToolParserManager


@ToolParserManager.register_module("naive_tools")
class NaiveToolParser(ToolParser):
    def extract_tool_calls(self, model_output: str, request: Any) -> ExtractedToolCallInformation:
        found = [json.loads(call) for call in re.findall(r"<tools>(.*?)</tools>", model_output, re.DOTALL)]
        calls = [
            ToolCall(function=FunctionCall(name=call["name"], arguments=json.dumps(call["arguments"])))
            for call in found
        ]
        content = model_output.partition("<tools>")[0] if calls else model_output
        return ExtractedToolCallInformation(tools_called=bool(calls), tool_calls=calls, content=content or None)

    def extract_tool_calls_streaming(self, *_args: Any, **_kwargs: Any) -> None:
        return None
