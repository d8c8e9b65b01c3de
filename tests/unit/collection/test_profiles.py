# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles of the collection, the rules they are checked by, and the lookup that finds them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import ProfileError, checked, merged

REPOSITORY = Path(__file__).parents[3]
FILES = sorted((REPOSITORY / "profiles").glob("*.yml"))
SCHEMA = json.loads((REPOSITORY / "profiles/schema.json").read_text())


def pocket() -> dict:
    return yaml.safe_load((REPOSITORY / "profiles/pocket.yml").read_text())


def lookup(term: str, **options):
    return lookup_loader.get("toolserve.gpunode.profile").run([term], {}, **options)[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_profile_conforms_for_two_independent_validators(file):
    profile = yaml.safe_load(file.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(profile)
    assert checked(profile, SCHEMA, file.name) == profile


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_that_a_profile_names_exist(file):
    tool_calls = yaml.safe_load(file.read_text())["tool_calls"]
    plugin, template = tool_calls.get("parser_plugin"), tool_calls["chat_template"]
    if plugin:
        assert (REPOSITORY / "roles/vllm/files/tool_parsers" / plugin).is_file()
    if not template.startswith("/"):
        assert (REPOSITORY / "roles/vllm/files/chat_templates" / template).is_file()


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ({"context": {"maximum": "a lot"}}, "$.context.maximum"),
        ({"served_name": "Qwen/Qwen2.5"}, "$.served_name"),
        ({"tool_cals": {}}, "tool_cals"),
        ({"capabilities": {"tool_choice": ["sometimes"]}}, "$.capabilities.tool_choice[0]"),
        ({"context": {"output": 2048}}, "$.context.output"),
        ({"tool_calls": {"parser_plugin": None}}, "$.tool_calls.parser_plugin"),
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
