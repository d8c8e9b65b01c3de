# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How vLLM is told what a profile says: its command line and environment, release by release."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import serving_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.release_expectations import parse_release
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import ServingRelease

# Where the compose project of the vllm role mounts its files inside the container.
PARSER_FOLDER = "/opt/gpunode/tool_parsers"
TEMPLATE_FOLDER = "/opt/gpunode/chat_templates"
CONTAINER_PORT = 8000
# Inside the container; what the node publishes of it is the compose file's matter.
EVERYWHERE = ("0.0.0.0", CONTAINER_PORT)

# What every profile gets and may take away again.
_DEFAULTS: dict[str, Any] = {
    # Clients keep their context by what the server counts; many do not ask for it.
    "enable-force-include-usage": True,
}


@dataclass(frozen=True)
class Command:
    """How a container of vLLM is started. ``warnings`` are what a person should know before that."""

    entrypoint: list[str]
    arguments: list[str]
    environment: dict[str, str]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For filters."""
        return asdict(self)


def model_mount(profile: Mapping[str, Any]) -> str:
    """Where a model folder of the node appears inside the container."""
    return f"/models/{profile['served_name']}"


class UnusableCommandError(ValueError):
    """What was asked for cannot be served; ``problems`` say each what was seen, what it means and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def command(
    profile: Mapping[str, Any],
    release: str,
    extra: Mapping[str, Any] | None = None,
    local_model: bool = False,
    settings: Mapping[str, Any] | None = None,
    listen: tuple[str, int] = EVERYWHERE,
) -> Command:
    """How this release of vLLM serves a profile, the same for the same input.

    :param profile: a checked profile.
    :param release: of vLLM, as in 0.32.0.
    :param extra: options of the user, which win over those of the profile; null takes one away.
    :param local_model: the model is a folder of the node and not a repository of the hub.
    :param settings: options that variables of the role stand for (vllm_max_num_seqs for max-num-seqs); they win over
        those of the profile, and those of the user over them. Empty ones count as absent.
    :param listen: the address and port of the API, as the container sees them.
    :raises UnusableCommandError: the release cannot serve the profile, does not know an option, or an option would
        undo what the profile needs.
    """
    try:
        serving = ServingRelease.named(release)
    except ValueError as error:
        raise UnusableCommandError([str(error)]) from error
    profiles, environment = of_release(profile["vllm"], serving)
    users = serving_options.named(extra or {}, serving)
    set_by_role = serving_options.named(serving_options.given(settings or {}), serving)
    owned = _owned(profile, serving, local_model, listen)
    problems = list(_release_problems(profile, serving))
    sources = {
        "The profile's vllm.arguments": profiles,
        "vllm_extra_arguments": users,
        "A variable of the role": set_by_role,
    }
    for source, given in sources.items():
        problems += serving_options.problems(source, given, owned, serving)
    if problems:
        raise UnusableCommandError(problems)
    chosen = serving.format_options(profile["model"].get("format")) | _DEFAULTS | profiles | set_by_role | users
    options = owned | chosen
    arguments = [part for name, value in options.items() for part in _option(name, value)]
    warnings = [
        *serving_options.said_twice(set_by_role, users),
        *serving_options.warnings(chosen, profile, serving, local_model),
    ]
    return Command(serving.entrypoint, arguments, environment, warnings)


def of_release(vllm: Mapping[str, Any], serving: ServingRelease) -> tuple[dict[str, Any], dict[str, str]]:
    """The profile's options and environment, with those of this release laid over them."""
    arguments = serving_options.named(vllm.get("arguments", {}), serving)
    environment = dict(vllm.get("environment", {}))
    for entry in vllm.get("by_release", []):
        if _covers(entry, serving):
            arguments |= serving_options.named(entry.get("arguments", {}), serving)
            environment |= entry.get("environment", {})
    return arguments, environment


def _owned(
    profile: Mapping[str, Any], serving: ServingRelease, local_model: bool, listen: tuple[str, int]
) -> dict[str, Any]:
    """The options that follow from fields of the profile which checks and clients rely on."""
    return {
        "model": model_mount(profile) if local_model else profile["model"]["id"],
        "revision": None if local_model else profile["model"].get("revision"),
        **_tool_calls(profile["tool_calls"], serving),
        "served-model-name": profile["served_name"],
        "host": listen[0],
        "port": listen[1],
        "max-model-len": profile["context"]["maximum"],
    }


def _release_problems(profile: Mapping[str, Any], serving: ServingRelease) -> Iterator[str]:
    name, vllm = profile.get("name", profile["served_name"]), profile["vllm"]
    first = vllm["minimum_release"]
    if serving.release < (parse_release(first) or serving.release):
        yield (
            f"vllm_release is {serving.name}, but {name} needs vLLM {first} or newer. Raise it, or choose another "
            "profile."
        )
    for bad in vllm.get("known_bad", []):
        if _covers(bad, serving):
            yield (
                f"vllm_release is {serving.name}, which must not serve {name}: {bad['why']} ({bad['source']}). "
                f"Set it to {bad['before']} or newer."
            )


def _covers(entry: Mapping[str, Any], serving: ServingRelease) -> bool:
    """Whether the release lies in the range of an entry; a missing end is open."""
    since, before = parse_release(entry.get("since")), parse_release(entry.get("before"))
    return (since is None or since <= serving.release) and (before is None or serving.release < before)


def _tool_calls(tool_calls: Mapping[str, Any], serving: ServingRelease) -> dict[str, Any]:
    plugin = tool_calls.get("parser_plugin")
    return {
        "enable-auto-tool-choice": True,
        "tool-call-parser": tool_calls["parser"],
        "tool-parser-plugin": f"{PARSER_FOLDER}/{plugin}" if plugin else None,
        "chat-template": _template(tool_calls["chat_template"], serving),
        "reasoning-parser": tool_calls.get("reasoning_parser"),
    }


def _template(template: str | None, serving: ServingRelease) -> str | None:
    if template is None or template.startswith("/"):
        return template
    if template.startswith("examples/"):
        return serving.template(template.removeprefix("examples/"))
    return f"{TEMPLATE_FOLDER}/{template}"


def _option(name: str, value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, bool):
        yield f"--{name}" if value else f"--no-{name}"
        return
    yield f"--{name}"
    yield json.dumps(value) if isinstance(value, (dict, list)) else str(value)
