# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make upgrade-node`: from real vLLM 0.31 to 0.32 by upgrade.yml, and an upgrade that is not proven and taken back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from . import engine, vllm_image
from .ansible import captured_playbook
from .console import BenchError, fail, say, step
from .lock import only_one
from .prepare import STATE

_INVENTORY = "molecule/operation/inventory/upgrade.yml"
_NODE = "gpunode-upgrade"
_OLDER = "0.31.0"
_ARCHIVE = "/srv/bench/vllm-cpu-older.tar"
# The profile asks for the release that the bench runs everywhere else.
_PROFILE = {"gpunode_profile_overrides": {"vllm": {"minimum_release": _OLDER}}}
_WRONG_PARSER = {
    "gpunode_profile_overrides": {
        **_PROFILE["gpunode_profile_overrides"],
        "tool_calls": {"parser": "hermes", "parser_plugin": None},
    }
}


def main() -> int:
    client = engine.ensure()
    try:
        with only_one():
            image, archive = vllm_image.ensure(client, _OLDER)
        old = {**_PROFILE, "vllm_release": _OLDER, "vllm_image": image, "vllm_image_archive": _ARCHIVE}
        _run(old, {"bench_volumes": [f"{archive}:{_ARCHIVE}:ro"]})
    except BenchError as error:
        return fail(error)
    finally:
        _play("tests/bench/destroy_nodes.yml", {})
    return 0


def _run(old: dict[str, Any], volumes: dict[str, Any]) -> None:
    _told("The node", "tests/bench/create_nodes.yml", volumes)
    _told(f"site.yml with vLLM {_OLDER}", "playbooks/site.yml", old)
    _told(f"upgrade.yml to {vllm_image.RELEASE}", "playbooks/upgrade.yml", _PROFILE)
    _shown(vllm_image.RELEASE)
    # The same release with a parser for another format: it starts and answers, and its tool calls do not arrive.
    _told("upgrade.yml to a server that is not proven", "playbooks/upgrade.yml", _WRONG_PARSER, succeeds=False)
    _shown(vllm_image.RELEASE)
    _told("verify.yml", "playbooks/verify.yml", _PROFILE)


def _told(what: str, playbook: str, settings: dict[str, Any], succeeds: bool = True) -> None:
    began = time.monotonic()
    with step(what):
        result = _play(playbook, settings)
        if (result.returncode == 0) != succeeds:
            raise BenchError(f"{playbook} should have {'passed' if succeeds else 'failed'}:\n{result.stdout}")
    say(f"    {time.monotonic() - began:.0f} s")


def _play(playbook: str, settings: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return captured_playbook(playbook, _INVENTORY, "--extra-vars", json.dumps(settings))


def _shown(release: str) -> None:
    evidence = json.loads((STATE / f"upgrade/{_NODE}.json").read_text())
    if evidence["endpoint"]["version"] != release or evidence["verdict"] not in ("pass", "warn"):
        raise BenchError(f"Not proven: vLLM {evidence['endpoint']['version']}, {evidence['verdict']}")
    switch = evidence["switch"]
    say(f"    vLLM {release} proven; nothing answered for {switch['downtime_seconds']} s")
    if switch["rolled_back_because"]:
        say(f"    taken back because: {switch['rolled_back_because'].splitlines()[0]}")


if __name__ == "__main__":
    sys.exit(main())
