# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import json_schema
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import PROBES, TOOLS, select

SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in TOOLS}

# The pocket model of the tests is trained on exactly these words.
WORDING = {
    "T1-chat": r"Say hello\.",
    "T2-no-tool": r"Tell me a joke\.",
    "T3-read": r"Read the file (/\S+)\.",
    "T3-bash": r"Run the command: (.+)",
    "T4-parallel": r"Read the files (/\S+) and (/\S+)\.",
    "T8-result": r"Read the file (/\S+) and tell me what it says\.",
    "T9-enum": r"What is the weather in (\w+) in (celsius|fahrenheit)\?",
    "T10-no-arguments": r"What time is it now\?",
}


def by_id(probe_id: str) -> Any:
    return next(probe for probe in PROBES if probe.id == probe_id)


def test_the_tools_are_those_of_a_coding_agent_and_sound() -> None:
    assert list(SCHEMAS) == ["read", "write", "edit", "bash", "get_weather", "current_time"]
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json_schema.unsupported(schema) == []
        assert schema["additionalProperties"] is False
    assert SCHEMAS["bash"]["required"] == ["command"]
    assert SCHEMAS["get_weather"]["required"] == ["city", "unit"]
    assert SCHEMAS["current_time"]["properties"] == {}


def test_the_wording_is_fixed() -> None:
    assert [probe.id for probe in PROBES] == list(WORDING)
    for probe in PROBES:
        for seed in range(50):
            case = probe.case(seed, 1)
            text = case.messages[0]["content"]
            found = re.fullmatch(WORDING[probe.id], text)
            assert found, text
            if case.calls:
                told = [value for call in case.calls for value in call.arguments.values()]
                assert list(found.groups()) == told
            assert '"' not in text and "\\" not in text and text.isascii()


def test_what_is_expected_conforms_to_the_tools() -> None:
    for probe in PROBES:
        for call in probe.case(1, 1).calls:
            assert json_schema.errors(call.arguments, SCHEMAS[call.name]) == []


def test_values_are_random_and_can_be_repeated() -> None:
    for name in ("T3-read", "T3-bash", "T4-parallel", "T8-result"):
        probe = by_id(name)
        texts = {json.dumps(probe.case(seed, attempt).messages) for seed in range(20) for attempt in (1, 2)}
        assert len(texts) > 35
        assert probe.case(7, 2) == probe.case(7, 2)


def test_the_second_turn_replays_a_call_as_agents_do() -> None:
    case = by_id("T8-result").case(3, 1)
    _user, assistant, tool = case.messages
    call = assistant["tool_calls"][0]
    assert assistant["content"] is None
    assert json.loads(call["function"]["arguments"])["filePath"] in case.messages[0]["content"]
    assert tool == {
        "role": "tool",
        "tool_call_id": call["id"],
        "content": f"The access code is {case.contains}",
    }
    assert re.fullmatch(r"[A-Za-z0-9]{9}", call["id"])
    assert re.fullmatch(r"\d{5}-[a-z]+", case.contains)


def test_requests_say_everything_that_a_default_could_change() -> None:
    case = by_id("T3-read").case(3, 1)
    plain, streamed = (case.request("qwen", 42, 512, stream=stream) for stream in (False, True))
    assert plain == {
        "model": "qwen",
        "messages": case.messages,
        "tools": list(TOOLS),
        "tool_choice": "auto",
        "temperature": 0,
        "top_p": 1,
        "seed": 42,
        "max_tokens": 512,
        "stream": False,
    }
    assert streamed == plain | {"stream": True, "stream_options": {"include_usage": True}}
    assert "tools" not in by_id("T1-chat").case(3, 1).request("qwen", 42, 512, stream=False)


def test_select() -> None:
    assert select([]) == list(PROBES)
    assert [probe.id for probe in select(["T9-enum", "T3"])] == ["T3-read", "T3-bash", "T9-enum"]
    assert [probe.id for probe in select(["T1"])] == ["T1-chat"]
    with pytest.raises(ValueError, match=r"unknown probes: T77 \(known: T1-chat, "):
        select(["T1", "T77"])
