# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.plugins.module_utils import server_load
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint

Serve = Callable[..., FakeEndpoint]
RECORDED = (Path(__file__).parent / "recorded/metrics-vllm-0.32.0.txt").read_bytes()
PLAIN = "text/plain; version=0.0.4"


def read(serve: Serve, page: bytes, status: int = 200) -> server_load.Load | None:
    return server_load.read(OpenAIClient(serve(pages={"/metrics": (status, PLAIN, page)}).url))


def test_the_figures_of_a_release(serve: Serve) -> None:
    load = read(serve, RECORDED)
    assert load == server_load.Load(2, 0, 1542, 2668, 0, 0, 0.0018331805682859637)
    assert not load.idle


def test_older_names_and_several_engines(serve: Serve) -> None:
    page = b"".join(
        b'vllm:num_requests_running{engine="%d"} 0\nvllm:num_requests_waiting{engine="%d"} 0\n'
        b'vllm:prompt_tokens_total{engine="%d"} 10\nvllm:generation_tokens_total{engine="%d"} 20\n'
        b'vllm:gpu_cache_usage_perc{engine="%d"} 0.%d\nvllm:gpu_prefix_cache_hits_total{engine="%d"} 3\n'
        % ((engine,) * 7)
        for engine in (1, 2)
    )
    load = read(serve, page)
    assert load == server_load.Load(0, 0, 20, 40, 6, None, 0.2)
    assert load.idle


@pytest.mark.parametrize(
    ("page", "status"), [(b"", 404), (b"<html></html>", 200), (b"process_cpu_seconds_total 1\n", 200), (RECORDED, 401)]
)
def test_a_server_that_shows_nothing(serve: Serve, page: bytes, status: int) -> None:
    assert read(serve, page, status) is None


def test_waiting_ends_with_what_was_wanted_or_with_the_time(serve: Serve) -> None:
    client = OpenAIClient(serve(pages={"/metrics": (200, PLAIN, RECORDED)}).url)
    wanted = server_load.wait_until(client, 60, lambda load: load.running == 2)
    given_up = server_load.wait_until(client, 0, lambda load: load.idle)
    assert wanted == given_up is not None


def test_the_peak_of_the_kv_cache(serve: Serve) -> None:
    endpoint = serve(pages={"/metrics": (200, PLAIN, RECORDED)})
    asked: list[float] = []
    client = OpenAIClient(endpoint.url)
    with server_load.KvCacheWatch(client, seconds=0.001) as watch:
        while watch.peak is None and len(asked) < 5000:
            asked.append(server_load.read(client).kv_cache_usage or 0)  # type: ignore[union-attr]
    assert watch.peak == pytest.approx(0.001833, rel=1e-3)
