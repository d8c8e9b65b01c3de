# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM's command line as it follows from a profile."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.toolserve.gpunode.plugins.filter.vllm_arguments import FilterModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import serving

PROFILES = Path(__file__).parents[3] / "profiles"


def profile(name: str) -> dict:
    return yaml.safe_load((PROFILES / f"{name}.yml").read_text())


def options(arguments: list[str]) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for index, part in enumerate(arguments):
        if part.startswith("--"):
            following = arguments[index + 1] if index + 1 < len(arguments) else "--"
            found[part] = True if following.startswith("--") else following
    return found


def test_reference_node():
    assert options(serving.arguments(profile("qwen2.5-14b-instruct-awq"))) == {
        "--model": "Qwen/Qwen2.5-14B-Instruct-AWQ",
        "--served-model-name": "qwen2.5-14b-instruct-awq",
        "--host": "0.0.0.0",
        "--port": "8000",
        "--max-model-len": "23232",
        "--enable-auto-tool-choice": True,
        "--tool-call-parser": "qwen_tools",
        "--tool-parser-plugin": "/opt/gpunode/tool_parsers/qwen_tools.py",
        "--chat-template": "/opt/gpunode/chat_templates/qwen_tools.jinja",
        "--gpu-memory-utilization": "0.92",
        "--enable-force-include-usage": True,
    }


def test_a_quantised_checkpoint_gets_no_quantization_option():
    assert "--quantization" not in serving.arguments(profile("qwen2.5-14b-instruct-awq"))


def test_a_local_model_is_served_from_its_mount():
    assert options(serving.arguments(profile("pocket"), local_model=True))["--model"] == "/models/pocket"


def test_a_pinned_revision_reaches_the_command_line():
    pinned = profile("qwen2.5-14b-instruct-awq")
    pinned["model"]["revision"] = "0123abc"
    assert options(serving.arguments(pinned))["--revision"] == "0123abc"


def test_a_built_in_parser_needs_no_plugin():
    builtin = profile("pocket")
    builtin["tool_calls"] |= {"parser": "hermes", "parser_plugin": None}
    rendered = options(serving.arguments(builtin))
    assert rendered["--tool-call-parser"] == "hermes"
    assert "--tool-parser-plugin" not in rendered


def test_an_extra_option_wins_over_the_profile_and_null_takes_one_away():
    rendered = options(serving.arguments(profile("pocket"), {"--max_num_seqs": 2, "enforce-eager": None, "seed": 7}))
    assert rendered["--max-num-seqs"] == "2"
    assert rendered["--seed"] == "7"
    assert "--enforce-eager" not in rendered


def test_false_switches_off_what_vllm_has_on_by_default():
    assert "--no-enable-prefix-caching" in serving.arguments(profile("pocket"), {"enable-prefix-caching": False})


def test_structured_values_become_json():
    rendered = options(serving.arguments(profile("pocket"), {"override-generation-config": {"temperature": 0.5}}))
    assert rendered["--override-generation-config"] == '{"temperature": 0.5}'


@pytest.mark.parametrize("name", ["api_key", "hf-token"])
def test_a_secret_may_not_stand_on_the_command_line(name):
    with pytest.raises(ValueError, match="shows secrets"):
        serving.arguments(profile("pocket"), {name: "s3cret"})


def test_arguments_of_a_profile_may_not_contradict_its_other_fields():
    twofold = profile("pocket")
    twofold["vllm"]["arguments"]["max_model_len"] = 999
    with pytest.raises(ValueError, match=r"The profile's vllm\.arguments sets max-model-len"):
        serving.arguments(twofold)


@pytest.mark.parametrize("name", ["tool-call-parser", "--max_model_len", "chat-template", "served-model-name", "port"])
def test_an_extra_option_may_not_undo_what_the_checks_rely_on(name):
    with pytest.raises(ValueError, match="gpunode_profile_overrides"):
        serving.arguments(profile("pocket"), {name: "x"})


def test_rendering_is_deterministic():
    assert serving.arguments(profile("pocket"), {"b": 1, "a": 2}) == serving.arguments(
        profile("pocket"), {"b": 1, "a": 2}
    )


def test_filter_reports_errors_as_ansible_does():
    with pytest.raises(AnsibleFilterError, match="port"):
        FilterModule().filters()["vllm_arguments"](profile("pocket"), {"port": 1})
