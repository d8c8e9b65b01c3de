# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of models that one node serves: what is wrong with it, and every setting of each model.

Facts of a host cannot be taken back, so that a setting of one model would reach the next. Hence every model gets each
setting that any of them has: its own, else the inventory's, else the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

PROJECT, DIRECTORY, VERIFICATION = "vllm_project_name", "vllm_project_dir", "verify_name"
# What follows from the project's name, what the driver goes by, and what roles set themselves.
_ALWAYS = (PROJECT, DIRECTORY, VERIFICATION, "vllm_release", "vllm_model_path")
# The project name of a node's only model; a model of this name keeps what a single one has.
SINGLE = "vllm"
# What Compose takes (https://docs.docker.com/reference/compose-file/version-and-name/).
_PROJECT_NAME = re.compile("[a-z0-9][a-z0-9_-]*")
_CLOSE = 0.8


@dataclass(frozen=True)
class Model:
    """One model of a node.

    ``name`` is its Compose project, empty where there is no list. ``by_template`` names the settings that nobody has
    said for this one, and whose default is made of other settings. ``chosen``: the user wants to work on it now.
    """

    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    by_template: Sequence[str] = ()
    chosen: bool = True


def names_of_settings(models: Any) -> list[str]:
    """Each setting that has to be said anew for each model."""
    if not _readable(models):
        return []
    return list(dict.fromkeys([*_ALWAYS, *(str(name) for model in models for name in model)]))


def problems(
    models: Any, settings: Sequence[str], overruled: Mapping[str, str], only: str | Sequence[str] = ()
) -> list[str]:
    """Reasons why the list cannot be worked with.

    :param models: the list as the user wrote it; an empty string where there is none.
    :param settings: what a model of the list may set.
    :param overruled: what the playbook sets itself, with what to set instead.
    :param only: the projects that the user wants to work on.
    """
    wanted = _names(only)
    if models == "":
        return [_only_without_list(wanted)] if wanted else []
    if not _readable(models):
        return [
            "gpunode_models is no list of models: each entry is a mapping of settings, and there is at least one. "
            "Correct it, or remove it to serve the one model of gpunode_profile."
        ]
    found = []
    for number, model in enumerate(models, 1):
        label = str(model.get(PROJECT) or f"entry {number}")
        if PROJECT in model and not _PROJECT_NAME.fullmatch(str(model[PROJECT])):
            found.append(
                f"gpunode_models: {PROJECT} is {model[PROJECT]!r}, which Compose does not take. Use lower case "
                "letters, digits, - and _, beginning with a letter or digit."
            )
        found += [
            f"gpunode_models: {label} sets {name}, which the playbook would silently overrule. Say it as "
            f"{overruled[name]} instead."
            for name in map(str, model)
            if name in overruled
        ]
        found += [
            _no_setting(label, name, settings)
            for name in map(str, model)
            if name not in overruled and name not in settings
        ]
    known = [str(model.get(PROJECT) or SINGLE) for model in models]
    if unknown := [name for name in wanted if name not in known]:
        found.append(
            f"gpunode_only names {', '.join(unknown)}, and gpunode_models has {', '.join(known)}. Correct one of them."
        )
    return found


def each_model(
    models: Any, said: Mapping[str, Any], defaults: Mapping[str, Any], only: str | Sequence[str] = ()
) -> list[Model]:
    """Every model with all its settings; a single nameless one where there is no list.

    :param said: what the inventory says to all models of :func:`names_of_settings`.
    :param defaults: of all settings, as they are written: templates too.
    """
    if not _readable(models):
        # A list that cannot be read stays one model, so that whoever works through the models meets its problems.
        return [Model(name="" if models == "" else "gpunode_models")]
    wanted = _names(only)
    return [_complete(model, names_of_settings(models), said, defaults, wanted) for model in models]


def as_dicts(models: Iterable[Model]) -> list[dict[str, Any]]:
    """For filters. Not by ``asdict``, which cannot copy the containers that Ansible fills with templates."""
    return [
        {
            "name": model.name,
            "settings": dict(model.settings),
            "by_template": list(model.by_template),
            "chosen": model.chosen,
        }
        for model in models
    ]


def _complete(
    model: Mapping[str, Any],
    names: Sequence[str],
    said: Mapping[str, Any],
    defaults: Mapping[str, Any],
    wanted: Sequence[str],
) -> Model:
    plain = {name: defaults[name] for name in names if name in defaults and not _template(defaults[name])}
    to_all = {name: said[name] for name in names if name in said}
    project = str(model.get(PROJECT) or to_all.get(PROJECT) or SINGLE)
    derived = {
        PROJECT: project,
        DIRECTORY: directory(project),
        VERIFICATION: "" if project == SINGLE else project,
    }
    settings = {**plain, **derived, **to_all, **model}
    return Model(
        name=project,
        settings=settings,
        by_template=[name for name in names if name not in settings],
        chosen=not wanted or project in wanted,
    )


def directory(project: str) -> str:
    """Where a project is that nobody has said otherwise of."""
    return "/opt/vllm" if project == SINGLE else f"/opt/vllm-{project}"


def _template(value: Any) -> bool:
    return "{{" in str(value)


def _readable(models: Any) -> bool:
    return isinstance(models, list) and bool(models) and all(isinstance(model, Mapping) for model in models)


def _names(only: str | Sequence[str]) -> list[str]:
    """One name, several in a string with commas (as on a command line), or a list of them."""
    parts = only.split(",") if isinstance(only, str) else only
    return [str(part).strip() for part in parts if str(part).strip()]


def _only_without_list(wanted: Sequence[str]) -> str:
    return (
        f"gpunode_only names {', '.join(wanted)}, but there is no gpunode_models: the node serves one model. Leave "
        "gpunode_only out."
    )


def _no_setting(label: str, name: str, settings: Sequence[str]) -> str:
    close = get_close_matches(name, settings, n=1, cutoff=_CLOSE)
    meant = f" Probably meant: {close[0]}." if close else ""
    return (
        f"gpunode_models: {label} sets {name}, which is no setting of a model.{meant} What is about the whole node "
        "(driver, Docker, accelerator) is said once in the inventory, beside the list."
    )
