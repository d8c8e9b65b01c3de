# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles of the collection, the rules they are checked by, and the lookup that finds them."""

from __future__ import annotations

import math

import jsonschema
import pytest
from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils import checkpoint, decoder_tensors
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_shape import from_config, from_profile
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import ProfileError, checked, merged
from ansible_collections.toolserve.gpunode.plugins.module_utils.sizing import GIB
from ansible_collections.toolserve.gpunode.tests.unit.plugins import model_configs as configs

from tests.profiles import reading

REPOSITORY = reading.ROOT
SCHEMA = reading.SCHEMA
NAMES = reading.names()
FAMILIES = sorted(path.stem for path in (reading.FOLDER / "families").glob("*.yml"))


def pocket() -> dict:
    return reading.own("pocket")


def lookup(term: str, **options):
    return lookup_loader.get("toolserve.gpunode.profile").run([term], {}, **options)[0]


@pytest.mark.parametrize("name", NAMES)
def test_profile_conforms_for_two_independent_validators(name):
    profile = reading.read(name)
    jsonschema.Draft202012Validator(SCHEMA).validate(profile)
    assert lookup(name) == profile


def test_every_family_of_the_design_has_a_profile():
    models = {reading.read(name)["model"]["id"] for name in NAMES}
    assert len(models) == len(NAMES) == 30
    for part in (
        "Qwen2.5-7B",
        "Qwen2.5-Coder-32B",
        "gpt-oss-120b",
        "Hermes-2-Pro",
        "Hermes-3",
        "Mistral-7B",
        "Llama-3.1-70B",
        "Llama-3.2-1B",
        "ToolACE-8B",
        "ultravox",
        "granite-3.0",
        "granite-3.1",
        "granite-20b",
        "internlm2_5",
        "Jamba-1.5-Large",
    ):
        assert any(part in model for model in models), part


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_used(family):
    assert [name for name in NAMES if reading.own(name).get("family") == family]


@pytest.mark.parametrize("name", NAMES)
def test_files_that_a_profile_names_exist(name):
    tool_calls = reading.read(name)["tool_calls"]
    plugin, template = tool_calls.get("parser_plugin"), tool_calls["chat_template"]
    if plugin:
        assert (REPOSITORY / "roles/vllm/files/tool_parsers" / plugin).is_file()
    if template and "/" not in template:
        assert (REPOSITORY / "roles/vllm/files/chat_templates" / template).is_file()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"pocket"}))
def test_figures_of_a_profile_fit_together(name):
    """Memory by the arithmetic of sizing, and nothing that the model or its card cannot hold."""
    profile = reading.read(name)
    context, arguments = profile["context"], profile["vllm"]["arguments"]
    assert context["maximum"] <= context["model_limit"]
    assert profile["sources"]
    gpus = arguments.get("tensor-parallel-size", 1)
    needed = (
        from_profile(profile).kv_cache(None).bytes_at(min(8192, context["model_limit"]))
        + profile["bytes"]["checkpoint"]
    )
    least = math.ceil((needed / gpus + GIB) / arguments["gpu-memory-utilization"] / GIB)
    assert profile["requirements"]["gpu_memory_gib"] == least
    assert profile["requirements"]["compute_capability"] == (
        7.5 if profile["model"].get("quantization") == "awq" else 8.0
    )
    experts = profile["architecture"].get("experts")
    read, checkpoint = profile["bytes"]["read_per_token"], profile["bytes"]["checkpoint"]
    assert read < checkpoint / 3 if experts else checkpoint * 0.8 < read <= checkpoint


COMPUTED = {
    "qwen2.5-7b-instruct": configs.QWEN_7B,
    "qwen2.5-14b-instruct": configs.QWEN_14B,
    "qwen2.5-14b-instruct-awq": configs.QWEN_14B_AWQ,
    "qwen2.5-coder-32b-instruct": configs.QWEN_32B,
    "qwen2.5-7b-instruct-awq": {**configs.QWEN_7B, "quantization_config": configs.QWEN_14B_AWQ["quantization_config"]},
    "qwen2.5-32b-instruct-awq": {
        **configs.QWEN_32B,
        "quantization_config": configs.QWEN_14B_AWQ["quantization_config"],
    },
    "hermes-2-pro-llama-3-8b": {**configs.LLAMA_3_1_8B, "vocab_size": 128288},
    "llama-3.1-70b-instruct": configs.dense("llama", 80, 8192, 64, 8, 28672, 128256),
    "llama-3.2-1b-instruct": {**configs.dense("llama", 16, 2048, 32, 8, 8192, 128256, tied=True), "head_dim": 64},
    "gpt-oss-120b": {
        **configs.GPT_OSS_20B,
        "num_hidden_layers": 36,
        "num_local_experts": 128,
        "layer_types": ["sliding_attention", "full_attention"] * 18,
    },
    "llama-3.1-8b-instruct": configs.LLAMA_3_1_8B,
    "llama-3.2-3b-instruct": configs.LLAMA_3_2_3B,
    "mistral-7b-instruct-v0.3": configs.MISTRAL_7B,
    "granite-3.1-8b-instruct": configs.GRANITE_8B,
    "internlm2.5-7b-chat": configs.INTERNLM_7B,
    "gpt-oss-20b": configs.GPT_OSS_20B,
}


@pytest.mark.parametrize("name", COMPUTED)
def test_bytes_and_shape_are_those_of_config_json(name):
    profile, config = reading.read(name), COMPUTED[name]
    shape = from_config(config)
    weights = checkpoint.weights(decoder_tensors.tensors(config), shape)
    assert profile["bytes"] == {"checkpoint": weights.total, "read_per_token": weights.read_per_token}
    assert from_profile(profile).kv_cache(None) == shape.kv_cache(None)
    assert profile["architecture"]["vocabulary"] == config["vocab_size"]


def test_a_profile_adds_its_notes_to_those_of_its_family():
    family = reading.family("qwen2.5")["notes"]
    notes = lookup("qwen2.5-14b-instruct-awq")["notes"]
    assert notes[: len(family)] == family and "reference node" in notes[-1]


def test_a_profile_of_the_user_may_have_a_family(tmp_path):
    own = tmp_path / "mine.yml"
    own.write_text((reading.FOLDER / "qwen2.5-7b-instruct.yml").read_text())
    assert lookup(str(own))["tool_calls"]["parser"] == "qwen_tools"


def test_an_unknown_family_is_refused(tmp_path):
    own = tmp_path / "mine.yml"
    own.write_text("family: qwen25\n" + (reading.FOLDER / "pocket.yml").read_text().removeprefix("---\n"))
    with pytest.raises(AnsibleError, match=r"family 'qwen25', which does not exist.*qwen2\.5"):
        lookup(str(own))


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ({"context": {"maximum": "a lot"}}, "$.context.maximum"),
        ({"served_name": "Qwen/Qwen2.5"}, "$.served_name"),
        ({"tool_cals": {}}, "tool_cals"),
        ({"capabilities": {"tool_choice": ["sometimes"]}}, "$.capabilities.tool_choice[0]"),
        ({"context": {"output": 2048}}, "$.context.output"),
        ({"tool_calls": {"parser_plugin": None}}, "$.tool_calls.parser_plugin"),
        ({"tool_calls": {"chat_template": "templates/x.jinja"}}, "$.tool_calls.chat_template"),
        ({"unverified": ["architecture.layerz"]}, "architecture.layerz is no field"),
        ({"vllm": {"known_bad": [{"since": "0.32.0"}]}}, "$.vllm.known_bad[0]"),
    ],
)
def test_a_bad_setting_is_refused_with_its_place(overrides, place):
    with pytest.raises(ProfileError) as caught:
        checked(merged(pocket(), overrides), SCHEMA, "pocket")
    assert place in str(caught.value)


def test_a_file_without_a_mapping_is_refused():
    with pytest.raises(ProfileError, match="no mapping"):
        checked(["a", "list"], SCHEMA, "mine.yml")


def test_overrides_reach_into_mappings_and_leave_their_neighbours():
    profile = merged(pocket(), {"context": {"maximum": 1024}, "capabilities": {"tool_choice": ["none"]}})
    assert profile["context"] == {"maximum": 1024, "output": 512}
    assert profile["capabilities"]["tool_choice"] == ["none"]
    assert profile["capabilities"]["parallel"] is True


def test_lookup_adds_the_name():
    assert lookup("pocket")["name"] == "pocket"


def test_lookup_applies_overrides():
    assert lookup("pocket", overrides={"context": {"maximum": 1024}})["context"]["maximum"] == 1024


def test_lookup_reads_a_file_of_the_user(tmp_path):
    own = tmp_path / "mine.yml"
    own.write_text((REPOSITORY / "profiles/pocket.yml").read_text())
    assert lookup(str(own))["name"] == "mine"


def test_lookup_proposes_the_nearest_name():
    with pytest.raises(AnsibleError, match="Did you mean pocket"):
        lookup("poket")


def test_lookup_says_that_a_path_leads_nowhere(tmp_path):
    with pytest.raises(AnsibleError, match="leads to no file"):
        lookup(str(tmp_path / "absent.yml"))
