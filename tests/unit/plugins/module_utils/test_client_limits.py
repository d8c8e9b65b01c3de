# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import client_limits
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_limits import LimitsError, limits
from hypothesis import given
from hypothesis import strategies as st


def test_the_reference_node() -> None:
    found = limits(23232, 4096)
    assert (found.context, found.output, found.margin) == (21780, 4096, 1452)
    assert (found.compaction, found.longest_prompt) == (17684, 19136)


@given(
    server=st.integers(1, 200_000),
    output=st.integers(-5, 40_000),
    context=st.none() | st.integers(0, 210_000),
    margin=st.none() | st.integers(-10, 20_000),
    agent_prompt=st.integers(0, 20_000),
)
def test_limits_that_are_given_can_work(
    server: int, output: int, context: int | None, margin: int | None, agent_prompt: int
) -> None:
    try:
        found = limits(server, output, context=context, margin=margin, agent_prompt=agent_prompt)
    except LimitsError as error:
        assert error.problems and all("clients_" in problem or "vllm_" in problem for problem in error.problems)
        return
    # The last prompt before the agent compacts, and a whole answer after it, are within the server's context.
    assert agent_prompt < found.compaction == found.context - found.output
    assert found.compaction + client_limits.requested_output(found.output) + found.margin == server
    assert found.margin >= 0 and found.output >= 1


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({"server": None, "output": 4096}, "clients_max_model_len"),
        ({"server": 23232, "output": 4096, "context": 23233}, "Set clients_context to 21780 or less"),
        ({"server": 23232, "output": 0}, "clients_output is 0"),
        ({"server": 131072, "output": 32001}, "32000 or less"),
        ({"server": 23232, "output": 4096, "margin": -1}, "clients_context_margin is -1"),
        ({"server": 8192, "output": 4096}, "at least 12903 tokens"),
        ({"server": 23232, "output": 20000}, "set clients_output to 13779 or less"),
    ],
)
def test_what_cannot_work_names_the_number_to_change(given_: dict[str, int], named: str) -> None:
    with pytest.raises(LimitsError) as refused:
        limits(**given_)
    assert named in str(refused.value)


@given(server=st.integers(300, 40_000), output=st.integers(1, 32_000), margin=st.none() | st.integers(0, 3000))
def test_what_is_advised_works(server: int, output: int, margin: int | None) -> None:
    try:
        limits(server, output, margin=margin)
    except LimitsError as error:
        said = str(error)
        least = int(said.partition("at least ")[2].partition(" ")[0])
        limits(least, output, margin=margin)
        with pytest.raises(LimitsError):
            limits(least - 1, output, margin=margin)
        if "clients_output to" in said:
            most = int(said.partition("clients_output to ")[2].partition(" ")[0])
            limits(server, most, margin=margin)
            with pytest.raises(LimitsError):
                limits(server, most + 1, margin=margin)


@pytest.mark.parametrize(("output", "asked"), [(None, 32000), (0, 32000), (4096, 4096), (65536, 32000)])
def test_what_opencode_asks_for(output: int | None, asked: int) -> None:
    assert client_limits.requested_output(output) == asked


@pytest.mark.parametrize(
    ("context", "output", "more", "point"),
    [
        (23232, 4096, {}, 19136),
        (23232, None, {}, 0),
        (0, 4096, {}, None),
        (23232, 4096, {"prompt": 19000}, 14904),
        (23232, 4096, {"prompt": 19000, "reserved": 1000}, 18000),
        (23232, 4096, {"reserved": 1000}, 19136),  # without limit.input OpenCode does not look at it
        (200000, 32000, {"prompt": 160000}, 140000),
    ],
)
def test_where_opencode_compacts(context: int, output: int | None, more: dict[str, int], point: int | None) -> None:
    assert client_limits.compaction_point(context, output, **more) == point
