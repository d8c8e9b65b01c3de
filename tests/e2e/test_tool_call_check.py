# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own check passes real vLLM, whatever values it asks for."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_probes import PROBES
from ansible_collections.toolserve.gpunode.plugins.module_utils.tool_call_run import Options, run
from openai import OpenAI

# This server shows the model its tools although they are forbidden, and it writes a call: as text, which is a warning.
EXPECTED = {probe.id: "warn" if probe.id == "T7-none" else "pass" for probe in PROBES}


@pytest.mark.parametrize("number", range(3))
def test_every_probe_passes(client: OpenAI, number: int) -> None:
    profile = lookup_loader.get("toolserve.gpunode.profile").run(["pocket"], {})[0]
    checking = OpenAIClient(str(client.base_url), client.api_key, timeout=120)
    outcome = run(checking, Options(seed=number, profile=profile))
    assert {result.probe.id: result.verdict for result in outcome.results} == EXPECTED
    assert outcome.passed
