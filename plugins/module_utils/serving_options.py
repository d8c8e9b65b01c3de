# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong or risky with options for vLLM's command line, before a server is started with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import vllm_options
from ansible_collections.toolserve.gpunode.plugins.module_utils.vllm_releases import (
    GONE,
    STREAMS_WHOLE,
    ServingRelease,
)

# What has a place of its own, the environment file that only root can read.
SECRETS = {"api-key": "gpunode_api_key", "hf-token": "vllm_hf_token"}

# What an explicit --quantization of these names makes of a checkpoint, and what it should be called.
_SLOW = {"awq": "awq_marlin", "gptq": "gptq_marlin"}


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options by their names with dashes and none in front, which people write in several ways."""
    return {name.lstrip("-").replace("_", "-"): value for name, value in options.items()}


def named(options: Mapping[str, Any], serving: ServingRelease) -> dict[str, Any]:
    """The options by the names that this release gives them."""
    return {serving.spelled(name): value for name, value in plain(options).items()}


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options whose variable of the role has a value."""
    return {name: value for name, value in settings.items() if value is not None and value != ""}


def said_twice(settings: Mapping[str, Any], users: Mapping[str, Any]) -> Iterator[str]:
    """Options that a variable of the role and the user's list both set, differently; the user's list wins."""
    for name in sorted(settings.keys() & users.keys()):
        if str(settings[name]) != str(users[name]):
            yield (
                f"vllm_{name.replace('-', '_')} is {settings[name]}, and vllm_extra_arguments sets {name} to "
                f"{users[name]}, which wins. Leave one of them out."
            )


def problems(source: str, given: Mapping[str, Any], owned: Mapping[str, Any], serving: ServingRelease) -> Iterator[str]:
    """Why the options of one source cannot be used; ``owned`` are those that follow from the profile."""
    if "max-model-len" in given:
        yield (
            f"{source} sets max-model-len, of which the checks and clients would not learn. Leave it out and set "
            "vllm_max_model_len (or the profile's context.maximum)."
        )
    clash = sorted((given.keys() & owned.keys()) - {"max-model-len"})
    if clash:
        yield (
            f"{source} sets {', '.join(clash)}, which follows from other fields of the profile. "
            "Change those (gpunode_profile_overrides), so that the checks and clients learn of it too."
        )
    for name in sorted(given.keys() & SECRETS.keys()):
        yield f"{source} sets {name}: a command line shows secrets to everyone. Set {SECRETS[name]} instead."
    for name, value in given.items():
        spelled = f"no-{name}" if value is False else name
        if value is not None and not serving.knows(spelled):
            yield f"{source} sets {name}: {_unknown(spelled, serving)}"
    forced = str(given.get("quantization"))
    if forced in _SLOW and serving.awq_is_slow:
        yield (
            f"{source} sets quantization to {forced}: vLLM {serving.name} then takes its slow kernel (23 instead of "
            "123 tokens/s, vllm-project/vllm#21376). Leave it out, vLLM reads it from the checkpoint; or say "
            f"{_SLOW[forced]}."
        )


def _unknown(option: str, serving: ServingRelease) -> str:
    """Why this release has no such option, and what to do."""
    hint = GONE.get(option)
    if hint is None and option.startswith("no-") and serving.knows(option[3:]):
        hint = "it cannot be switched off there; set it to null to leave it out"
    where = vllm_options.span(option)
    if hint is None and where is None:
        close = get_close_matches(option, vllm_options.names(serving.release), n=1)
        hint = f"did you mean {close[0]}?" if close else "see vllm serve --help of that release"
    known = f" (known {where})" if where else ""
    return f"vLLM {serving.name} has no option --{option}{known}; {hint or 'leave it out or change vllm_release'}."


def warnings(
    options: Mapping[str, Any], profile: Mapping[str, Any], serving: ServingRelease, local_model: bool
) -> Iterator[str]:
    """What works and should not be done without knowing; ``options`` are those of the profile and the user."""
    quantization, checkpoint = options.get("quantization"), profile["model"].get("quantization")
    if quantization and checkpoint and quantization != f"{checkpoint}_marlin":
        yield (
            f"quantization is set to {quantization} for a checkpoint that is quantised already ({checkpoint}). "
            "vLLM reads that by itself; leave it out."
        )
    if options.get("trust-remote-code"):
        pinned = local_model or profile["model"].get("revision")
        yield (
            "trust-remote-code runs Python code of the model's repository on the node. "
            + ("Read it first." if pinned else "Pin model.revision to a commit that you have read.")
        )
    if profile["tool_calls"]["chat_template"] is None and serving.needs_chat_template:
        yield (
            f"No chat template is given at the start, and in vLLM {serving.name} a request's own can then block the "
            "server (CVE-2026-115911). Set tool_calls.chat_template, or vllm_release to 0.32.0 or newer."
        )
    parser = profile["tool_calls"]["parser"]
    if not serving.streams_whole(parser):
        since = STREAMS_WHOLE[parser]
        way_out = f"Set vllm_release to {'.'.join(map(str, since))} or newer" if since else "No release does yet"
        yield (
            f"The tool parser {parser} of vLLM {serving.name} loses parts of calls when answers are streamed, as "
            f"agents ask for. {way_out}; answers that are not streamed are whole."
        )
