# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The right parser passes; a wrong one fails, and the cause names the markup and the right parser."""

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.rules_startup import startup_causes
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import read_lines

from .serving import Servers
from .setups import REFUSED, RIGHT, WRONG, Setup, Wrong


@pytest.mark.parametrize("setup", RIGHT, ids=lambda setup: setup.name)
def test_a_familys_own_parser_passes(setup: Setup, servers: Servers) -> None:
    found = servers[setup].check()
    assert found["passed"], found["summary"]
    proven = {probe["id"] for probe in found["probes"] if probe["verdict"] == "pass"}
    assert proven >= {"T3-read", "T3-bash", "T8-result", "T9-enum", "T12-text-and-call", "T14-many-tools"}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.setup.name)
def test_a_wrong_parser_leaves_the_familys_markup_behind(wrong: Wrong, servers: Servers) -> None:
    found = servers[wrong.setup].check()
    assert not found["passed"]
    assert any(finding["class"] == "MarkupLeak" for probe in found["probes"] for finding in probe["findings"])
    first = found["causes"][0]
    assert f"tool call is left in the text as {wrong.markup}, and tool_calls lacks it" in first["symptom"], first
    assert f"--tool-call-parser {wrong.right} " in first["fix"].replace(".", " ")


@pytest.mark.parametrize("setup", REFUSED, ids=lambda setup: setup.name)
def test_a_parser_that_cannot_be_does_not_start(setup: Setup, servers: Servers) -> None:
    server = servers[setup]
    with pytest.raises(EndpointError):
        server.wait()
    first = startup_causes(read_lines(server.log.read_text()))[0]
    assert "is made for other models" in first.cause, first
