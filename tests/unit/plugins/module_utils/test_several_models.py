# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.several_models import (
    each_model,
    names_of_settings,
    problems,
)

DEFAULTS = {
    "gpunode_listen_port": 8000,
    "gpunode_profile": "small",
    "vllm_image": "vllm:v{{ vllm_release }}",
    "vllm_model_path": "",
    "vllm_project_dir": "/opt/vllm",
    "vllm_project_name": "vllm",
    "vllm_release": "0.32.0",
    "verify_name": "",
}
CHAT, CODER = {"vllm_project_name": "chat"}, {"vllm_project_name": "coder"}


def settled(*models: dict[str, Any], said: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [dict(model.settings) for model in each_model(list(models), said or {}, DEFAULTS)]


def test_without_a_list_there_is_one_model_that_sets_nothing() -> None:
    (model,) = each_model("", {"vllm_release": "0.31.0"}, DEFAULTS)
    assert (model.name, model.settings, model.by_template, model.chosen) == ("", {}, (), True)
    assert names_of_settings("") == [] and problems("", [*DEFAULTS], {}) == []


def test_what_one_model_sets_does_not_reach_the_next() -> None:
    first, second = settled({**CHAT, "gpunode_profile": "large", "vllm_model_path": "/srv/m"}, CODER)
    assert (first["gpunode_profile"], first["vllm_model_path"]) == ("large", "/srv/m")
    assert (second["gpunode_profile"], second["vllm_model_path"]) == ("small", "")
    assert first.keys() == second.keys()


def test_a_model_has_its_own_setting_else_that_of_the_inventory_else_the_default() -> None:
    said = {"gpunode_listen_port": 9000}
    first, second = settled({**CHAT, "gpunode_listen_port": 8001, "gpunode_profile": "x"}, CODER, said=said)
    assert (first["gpunode_listen_port"], second["gpunode_listen_port"]) == (8001, 9000)
    assert second["gpunode_profile"] == "small"


def test_a_default_made_of_other_settings_is_left_to_the_models_own() -> None:
    first, second = each_model([{**CHAT, "vllm_image": "mine:1"}, {**CODER, "vllm_release": "0.31.0"}], {}, DEFAULTS)
    assert (list(first.by_template), list(second.by_template)) == ([], ["vllm_image"])
    assert "vllm_image" not in second.settings and second.settings["vllm_release"] == "0.31.0"


def test_names_follow_from_the_project_and_the_default_project_keeps_those_of_a_single_model() -> None:
    first, second, third = settled({}, CHAT, {**CODER, "vllm_project_dir": "/srv/coder", "verify_name": "c"})
    names = [(one["vllm_project_name"], one["vllm_project_dir"], one["verify_name"]) for one in (first, second, third)]
    assert names == [("vllm", "/opt/vllm", ""), ("chat", "/opt/vllm-chat", "chat"), ("coder", "/srv/coder", "c")]


def test_a_directory_that_the_inventory_says_to_all_is_taken() -> None:
    assert {one["vllm_project_dir"] for one in settled(CHAT, CODER, said={"vllm_project_dir": "/srv/x"})} == {"/srv/x"}


@pytest.mark.parametrize("only", ["coder", ["coder"], " coder ,"])
def test_only_some_may_be_worked_on(only: Any) -> None:
    chosen = [model.name for model in each_model([CHAT, CODER], {}, DEFAULTS, only) if model.chosen]
    assert chosen == ["coder"] and problems([CHAT, CODER], [*DEFAULTS], {}, only) == []


def test_a_wrong_choice_is_a_reason_and_not_an_empty_run() -> None:
    (problem,) = problems([CHAT, CODER], [*DEFAULTS], {}, "chat,codr")
    assert "gpunode_only names codr" in problem and "chat, coder" in problem
    (problem,) = problems("", [*DEFAULTS], {}, "chat")
    assert "there is no gpunode_models" in problem


@pytest.mark.parametrize("models", [[], {}, "chat", None, ["chat"], [CHAT, None]])
def test_what_is_no_list_of_models_is_refused_and_still_met_by_whoever_works_through_it(models: Any) -> None:
    (problem,) = problems(models, [*DEFAULTS], {})
    assert "no list of models" in problem
    assert [bool(model.name) for model in each_model(models, {}, DEFAULTS)] == [True]


@pytest.mark.parametrize("name", ["Chat", "-chat", "a.b", "ch at", "/x"])
def test_a_name_that_compose_does_not_take(name: str) -> None:
    (problem,) = problems([{"vllm_project_name": name}], [*DEFAULTS], {})
    assert repr(name) in problem and "Compose" in problem


def test_settings_that_no_model_has() -> None:
    overruled = {"vllm_api_key": "gpunode_api_key"}
    models = [{**CHAT, "gpunode_profil": "x", "docker_package_source": "docker", "vllm_api_key": "s3cret"}]
    told = problems(models, [*DEFAULTS], overruled)
    assert len(told) == 3 and all("chat sets " in problem for problem in told)
    assert "vllm_api_key" in told[0] and "Say it as gpunode_api_key" in told[0]
    assert "Probably meant: gpunode_profile." in told[1]
    assert "docker_package_source" in told[2] and "Probably" not in told[2] and "beside the list" in told[2]
    assert "s3cret" not in "".join(told)
