# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils import model_repository

ROLE = Path(__file__).parents[4] / "roles/model_weights"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
COMMIT = "a" * 40
HUB = "https://hub.example"


def chosen(*names: str) -> list[str]:
    """What the role's patterns take of a repository."""
    document: dict[str, Any] = {"sha": COMMIT, "siblings": [{"rfilename": name, "size": 1} for name in names]}
    found = model_repository.listing(document, DEFAULTS["model_weights_include"], DEFAULTS["model_weights_exclude"])
    return [file.path for file in found.files]


@pytest.mark.parametrize(
    ("duplicates", "wanted"),
    [
        # As the repositories of the profiles hold their weights twice.
        (["original/consolidated.00.pth", "original/params.json"], ["config.json", "model-00001-of-00004.safetensors"]),
        (["consolidated.safetensors"], ["model-00001-of-00003.safetensors", "tokenizer.model.v3", "params.json"][:1]),
        (
            ["metal/model.bin", "original/model.safetensors", "original/config.json"],
            ["model-00000-of-00002.safetensors"],
        ),
        (["pytorch_model.bin", "model.onnx", "model.gguf", "README.md", ".gitattributes"], ["tokenizer.model"]),
        ([], ["chat_template.jinja", "tokenization_internlm2.py", "merges.txt", "qwen.tiktoken"]),
    ],
)
def test_weights_are_fetched_once(duplicates: list[str], wanted: list[str]) -> None:
    assert chosen(*duplicates, *wanted) == wanted


def test_sizes_and_checksums() -> None:
    large = {"rfilename": "a.safetensors", "size": 9, "lfs": {"sha256": "ab", "size": 9, "pointerSize": 134}}
    small = {"rfilename": "config.json", "size": 2}
    found = model_repository.listing({"sha": COMMIT, "gated": "auto", "siblings": [large, small]}, ["*"], [])
    assert (found.size, found.gated, [file.sha256 for file in found.files]) == (11, True, ["ab", ""])
    assert model_repository.without_weights(found, "a/b") == ""


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "moved",
        {"error": "x"},
        {"sha": "main", "siblings": []},
        {"sha": COMMIT, "siblings": [{"rfilename": "a"}]},
    ],
)
def test_what_is_no_listing_is_told(document: Any) -> None:
    with pytest.raises(ValueError, match="the answer"):
        model_repository.listing(document, ["*"], [])


@pytest.mark.parametrize(
    ("names", "missing"),
    [(["config.json", "pytorch_model.bin"], "no safetensors"), (["a.safetensors"], "no config.json")],
)
def test_what_cannot_be_served_is_not_fetched(names: list[str], missing: str) -> None:
    document = {"sha": COMMIT, "siblings": [{"rfilename": name, "size": 1} for name in names]}
    assert missing in model_repository.without_weights(model_repository.listing(document, ["*"], []), "a/b")


@pytest.mark.parametrize(
    ("repository", "revision", "told"),
    [
        ("Qwen/Qwen2.5-14B-Instruct-AWQ", "main", None),
        ("gpt2", COMMIT, None),
        ("a/b", "refs/pr/3", None),
        ("a/b", "v0.3", None),
        ("a/b", "", None),
        ("a/b/c", "main", "no repository"),
        ("a/../b", "main", "no repository"),
        ("a/b", "main; reboot", "malformed"),
        ("a/b", "../main", "malformed"),
        ("a/b", "539535859b13", "shortened commit"),
    ],
)
def test_names_that_no_hub_can_have(repository: str, revision: str, told: str | None) -> None:
    problems = model_repository.settings_problems(repository, revision)
    assert [told in problem for problem in problems if told] == ([True] if told else [])
    assert bool(problems) == bool(told)


@pytest.mark.parametrize(
    ("status", "code", "token", "told"),
    [
        (401, "GatedRepo", False, "vllm_hf_token is not set"),
        (403, "GatedRepo", True, "may not read this model"),
        (401, "", True, "does not know the token"),
        (401, "RepoNotFound", False, "no such repository, or it is private and vllm_hf_token is not set"),
        (401, "", False, "no such repository"),
        (404, "RepoNotFound", True, "no such repository, or it is private to another account"),
        (404, "RevisionNotFound", True, "has no revision dev"),
        (429, "", False, "too many requests"),
        (503, "", False, "which it should not"),
    ],
)
def test_each_refusal_has_its_own_message(status: int, code: str, token: bool, told: str) -> None:
    message = model_repository.refusal(status, code, "a/b", "dev", HUB, token)
    assert told in message and f"{HUB} answered {status}" in message
