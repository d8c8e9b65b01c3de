# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models that this collection once served on a node and that nobody asks for any more."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence

from ansible_collections.toolserve.gpunode.plugins.module_utils.several_models import (
    DIRECTORY,
    PROJECT,
    SINGLE,
    directory,
)

_TIMER, _SUFFIX = "gpunode-verify", ".timer"


def leftovers(containers: str, timers: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Notes: one for each project, and one for each timer of a verification without its project.

    :param containers: lines of a container's name, its state, its Compose project and the project's directory, with
        tabs between, of the containers that bear this collection's label.
    :param timers: the names of the units gpunode-verify*.timer.
    :param wanted: the projects that are asked for.
    """
    found: dict[str, list[str]] = {}
    for line in containers.splitlines():
        name, _tab, rest = line.partition("\t")
        state, _tab, rest = rest.partition("\t")
        project, _tab, where = rest.partition("\t")
        if project and project not in wanted:
            found.setdefault(project, [name, state, where])
    notes = [
        f"The Compose project {project} in {where} (container {name}, {state}) was made by this collection and is no "
        "model of this inventory any more. It is left as it is, and keeps its port and GPU memory while it runs. To "
        f"remove it: {_removal(project, where)}"
        for project, (name, state, where) in found.items()
    ]
    for timer in sorted(timers):
        project = timer.removeprefix(_TIMER).removesuffix(_SUFFIX).removeprefix("-") or SINGLE
        if project not in wanted and project not in found:
            notes.append(
                f"The timer {timer} repeats the verification of {project}, which is no model of this inventory any "
                f"more. To remove it: {_removal(project, '')}"
            )
    return notes


def _removal(project: str, where: str) -> str:
    model = {PROJECT: project}
    if where and where != directory(project):
        model[DIRECTORY] = where
    settings = json.dumps({"gpunode_models": [model]})
    return f"ansible-playbook ... toolserve.gpunode.teardown -e {shlex.quote(settings)}"
