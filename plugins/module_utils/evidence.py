# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verification has proven, as one document that outlives the run.

Its form is published in roles/verify/files/evidence.schema.json and has a version: a field may be added to a version,
never change its meaning. :mod:`evidence_formats` turns it into what other tools read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import verification_causes
from ansible_collections.toolserve.gpunode.plugins.module_utils.verified_setup import Setup

SCHEMA_VERSION = 1
REMOVED = "REMOVED"
# The worst verdict is the whole's; "skip" says nothing.
_WORST_FIRST = ("fail", "inconclusive", "warn", "pass")
_FILE_LABEL = "toolserve.gpunode."


def build(
    host: str,
    checked_at: str,
    tool_calls: Mapping[str, Any],
    *,
    name: str = "",
    profile: Mapping[str, Any] | None = None,
    throughput: Mapping[str, Any] | None = None,
    waiting: Mapping[str, Any] | None = None,
    gpu: Mapping[str, Any] | None = None,
    container: Mapping[str, Any] | None = None,
    image: Mapping[str, Any] | None = None,
    switch: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
) -> dict[str, Any]:
    """The document.

    :param name: tells it from other verifications of the same host; empty where there is one only.
    :param checked_at: when, in UTC, ISO 8601.
    :param tool_calls: what tool_call_check returned.
    :param throughput: what throughput_check returned, if it ran.
    :param waiting: what wait_for_endpoint returned; why a server died stands there.
    :param gpu: what gpu_info returned, if it ran.
    :param container: ``docker inspect`` of the server's container, if it is known.
    :param image: ``docker inspect`` of its image.
    :param switch: what an upgrade did before: ``downtime_seconds``, and ``rolled_back_because`` or None.
    :param secrets: what must not stand in the document, wherever it came from.
    """
    setup = Setup(tool_calls, throughput or {}, waiting or {}, gpu or {}, container or {}, profile or {})
    document = {
        "schema_version": SCHEMA_VERSION,
        "host": host,
        "name": name or None,
        "checked_at": checked_at,
        "verdict": "fail" if setup.never_answered else verdict(tool_calls, throughput),
        "endpoint": tool_calls.get("server"),
        "model": _model(tool_calls, profile or {}),
        "container": _container(container, image or {}) if container else None,
        "driver": (setup.gpu.get("driver") or {}).get("version"),
        "gpus": setup.gpus,
        "tool_calls": _without_texts(tool_calls),
        "throughput": _without_texts(throughput) if throughput else None,
        "causes": verification_causes.find(setup),
        "switch": dict(switch) if switch else None,
    }
    return dict(_cleaned(document, [secret for secret in secrets if secret]))


def verdict(tool_calls: Mapping[str, Any], throughput: Mapping[str, Any] | None) -> str:
    """The worst of what was found: pass, warn, fail or inconclusive; also inconclusive where nothing was proven."""
    found = [probe["verdict"] for probe in tool_calls.get("probes") or []]
    if not tool_calls.get("passed") and "fail" not in found:
        found.append("inconclusive")
    if throughput:
        found.append(str(throughput.get("verdict") or "inconclusive"))
    return next((one for one in _WORST_FIRST if one in found), "inconclusive")


def _model(tool_calls: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    model = profile.get("model") or {}
    return {
        "served_name": tool_calls.get("model"),
        "profile": profile.get("name"),
        "id": model.get("id"),
        "revision": model.get("revision"),
    }


def _container(container: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    config = container.get("Config") or {}
    labels = config.get("Labels") or {}
    digests = image.get("RepoDigests") or []
    return {
        "name": str(container.get("Name") or "").lstrip("/"),
        "image": config.get("Image"),
        # A digest of the registry names the image everywhere; the id is all that an archive or a local build has.
        "image_digest": digests[0].partition("@")[2] if digests else None,
        "image_id": container.get("Image"),
        "started_at": (container.get("State") or {}).get("StartedAt"),
        "arguments": list(config.get("Cmd") or []),
        "files": {
            name.removeprefix(_FILE_LABEL): f"sha256:{value}"
            for name, value in sorted(labels.items())
            if name.startswith(_FILE_LABEL) and name != f"{_FILE_LABEL}profile"
        },
    }


def _without_texts(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a module returned, without what is there for people or for Ansible."""
    dropped = {"summary", "summary_markdown", "msg", "causes", "server", "changed", "failed", "invocation"}
    dropped |= {"failed_when_result", "ansible_facts", "warnings", "deprecations", "exception"}
    return {name: value for name, value in result.items() if name not in dropped}


def _cleaned(value: Any, secrets: list[str]) -> Any:
    """The same with every secret replaced: a server may repeat a key in an error, a user put one into an argument."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REMOVED)
        return str(value)
    if isinstance(value, Mapping):
        return {_cleaned(name, secrets): _cleaned(inner, secrets) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(inner, secrets) for inner in value]
    return value
