# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import json_schema
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_case import TOOLS, Case
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_draws import MORE_TOOLS, SET_UNIT
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import PROBES, Probe, select

REPOSITORY = Path(__file__).parents[4]

# The pocket model of the tests is trained on exactly these words.
HELLO, JOKE, READ = r"Say hello\.", r"Tell me a joke\.", r"Read the file (/\S+)\."
WORDING = {
    "T0-endpoint": HELLO,
    "T1-chat": HELLO,
    "T1-unknown-model": HELLO,
    "T2-no-tool": JOKE,
    "T3-read": READ,
    "T3-bash": r"Run the command: (.+)",
    "T4-parallel": r"Read the files (/\S+) and (/\S+)\.",
    "T4-one-at-a-time": r"Read the files (/\S+) and (/\S+)\.",
    "T5-named": READ,
    "T5-enforced": JOKE,
    "T6-required": READ,
    "T6-enforced": JOKE,
    "T7-none": r"Read the file /\S+\.",
    "T8-result": r"Read the file /\S+ and tell me what it says\.",
    "T8-two-results": r"Read the files /\S+ and /\S+, what do they say\?",
    "T9-enum": r"What is the weather in (\w+) in (celsius|fahrenheit)\?",
    "T9-text": r"Write (?P<content>\S+ \w+ \S+) to the file (?P<filePath>/\S+)\.",
    "T9-nested": r"Call the tool configure with exactly these arguments: \{.*\}",
    "T10-no-arguments": r"What time is it now\?",
    "T11-cut": READ,
    "T12-text-and-call": r"Explain what you do, then read the file (/\S+)\.",
    "T13-concurrent": READ,
    "T14-many-tools": READ,
    "T15-own-id": READ,
    "T16-template": JOKE,
    "T17-limits": HELLO,
    "T17-full": HELLO,
    "T17-overflow": HELLO,
    "T18-access": HELLO,
    "T19-reasoning": READ,
}


def by_id(probe_id: str) -> Probe:
    return next(probe for probe in PROBES if probe.id == probe_id)


def drawn(probe: Probe | str, seed: int = 1, attempt: int = 1) -> Case:
    return (by_id(probe) if isinstance(probe, str) else probe).drawn(seed, attempt)[0]


def schemas(case: Case) -> dict[str, Any]:
    return {tool["function"]["name"]: tool["function"]["parameters"] for tool in case.tools}


def test_the_tools_are_those_of_a_coding_agent_and_sound() -> None:
    known = schemas(Case([]))
    assert list(known) == ["read", "write", "edit", "bash", "get_weather", "current_time"]
    assert known["bash"]["required"] == ["command"]
    assert known["get_weather"]["required"] == ["city", "unit"]
    assert known["current_time"]["properties"] == {}
    assert len({tool["function"]["name"] for tool in (*TOOLS, *MORE_TOOLS, SET_UNIT)}) == 21


def test_every_schema_that_is_offered_is_sound() -> None:
    for probe in PROBES:
        for schema in schemas(drawn(probe)).values():
            jsonschema.Draft202012Validator.check_schema(schema)
            assert json_schema.unsupported(schema) == []
            assert schema["additionalProperties"] is False


def test_the_wording_is_fixed() -> None:
    assert [probe.id for probe in PROBES] == list(WORDING)
    for probe in PROBES:
        for seed in range(50):
            case = drawn(probe, seed)
            text = case.messages[0]["content"]
            found = re.fullmatch(WORDING[probe.id], text)
            assert found, text
            if found.groups():
                told = [value for call in case.calls for value in call.arguments.values()]
                assert sorted(found.groups()) == sorted(told)
            if probe.id != "T9-nested":
                assert '"' not in text and "\\" not in text
            assert text.isascii() or probe.id in ("T9-text", "T9-nested")


def test_what_is_expected_conforms_to_the_tools() -> None:
    for probe in PROBES:
        case = drawn(probe)
        for call in case.calls:
            if not call.free:
                assert json_schema.errors(call.arguments, schemas(case)[call.name]) == []


def test_values_are_random_and_can_be_repeated() -> None:
    for probe in PROBES:
        texts = {json.dumps(drawn(probe, seed, attempt).messages) for seed in range(20) for attempt in (1, 2)}
        fixed = WORDING[probe.id] in (HELLO, JOKE) or probe.id == "T10-no-arguments"
        assert len(texts) == 1 if fixed else len(texts) > 15
        assert drawn(probe, 7, 2) == drawn(probe, 7, 2)


def test_eight_questions_at_once_are_eight_different_ones() -> None:
    cases = by_id("T13-concurrent").drawn(1, 1)
    assert len({case.messages[0]["content"] for case in cases}) == 8


def test_the_second_turn_replays_a_call_as_agents_do() -> None:
    case = drawn("T8-result", 3)
    _user, assistant, tool = case.messages
    call = assistant["tool_calls"][0]
    assert assistant["content"] is None
    assert json.loads(call["function"]["arguments"])["filePath"] in case.messages[0]["content"]
    (code,) = case.contains
    assert tool == {"role": "tool", "tool_call_id": call["id"], "content": f"The access code is {code}"}
    assert re.fullmatch(r"[A-Za-z0-9]{9}", call["id"])
    assert re.fullmatch(r"\d{5}-[a-z]+", code)


def test_two_results_belong_to_two_calls() -> None:
    case = drawn("T8-two-results", 3)
    _user, assistant, *tools = case.messages
    assert assistant["content"] == ""
    assert [call["id"] for call in assistant["tool_calls"]] == [tool["tool_call_id"] for tool in tools]
    assert len({tool["tool_call_id"] for tool in tools}) == 2
    assert all(code in tool["content"] for code, tool in zip(case.contains, tools, strict=True))


def test_nested_arguments_have_every_type_and_one_possible_value() -> None:
    case = drawn("T9-nested")
    values = case.calls[0].arguments
    kinds = {type(value) for value in values.values()} | {type(value) for value in values["owner"].values()}
    assert kinds == {str, int, float, bool, type(None), dict, list}
    assert {'"', "\\", "\n", "\t", "{"} <= set(values["label"]) and not values["label"].isascii()
    schema = schemas(case)["configure"]
    assert json_schema.errors(values, schema) == []
    for name in values:
        assert json_schema.errors(values | {name: "something else"}, schema)
    assert json_schema.errors(values | {"owner": values["owner"] | {"groups": ["x", "y"]}}, schema)
    assert case.tools[0]["function"]["strict"] is True


def test_requests_say_everything_that_a_default_could_change() -> None:
    case = drawn("T3-read", 3)
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
    assert "tools" not in drawn("T1-chat").request("qwen", 42, 512, stream=False)


@pytest.mark.parametrize(
    ("probe", "choice"),
    [
        ("T5-named", {"type": "function", "function": {"name": "read"}}),
        ("T5-enforced", {"type": "function", "function": {"name": "set_unit"}}),
        ("T6-required", "required"),
        ("T6-enforced", "required"),
        ("T7-none", "none"),
    ],
)
def test_the_choice_of_tools(probe: str, choice: Any) -> None:
    request = drawn(probe).request("qwen", 1, 512, stream=False)
    assert request["tool_choice"] == choice and "parallel_tool_calls" not in request


def test_parallel_calls_can_be_switched_off() -> None:
    request = drawn("T4-one-at-a-time").request("qwen", 1, 512, stream=False)
    assert request["parallel_tool_calls"] is False


def test_select() -> None:
    assert select([]) == list(PROBES)
    assert [probe.id for probe in select(["T9-enum", "T3"])] == ["T3-read", "T3-bash", "T9-enum"]
    assert [probe.id for probe in select(["T1"])] == ["T1-chat", "T1-unknown-model"]
    assert [probe.id for probe in select(["T3", "T9"], ["T9", "T3-bash"])] == ["T3-read"]
    assert len(select([], ["T17"])) == len(PROBES) - 3
    with pytest.raises(ValueError, match=r"unknown probes: T77 \(known: T0-endpoint, "):
        select(["T1", "T77"])
    with pytest.raises(ValueError, match="unknown probes: T1-foo"):
        select([], ["T1-foo"])
    with pytest.raises(ValueError, match="every probe that was asked for is skipped"):
        select(["T3"], ["T3"])


def test_the_documentation_lists_every_probe() -> None:
    rows = re.findall(
        r"^\| (T\d+-\S+) \| (.+?) \| (.+?) \| (\w+) \|$", (REPOSITORY / "docs/probes.md").read_text(), re.M
    )
    assert rows == [(probe.id, probe.proves, probe.whom, probe.kind) for probe in PROBES]
