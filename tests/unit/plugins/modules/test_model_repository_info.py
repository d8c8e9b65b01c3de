# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Against the stand-in hub (tests/bench/model_hub.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.toolserve.gpunode.plugins.modules import model_repository_info

from tests.bench.model_hub import COMMIT, GRANTED, KNOWN, Hub

Run = Callable[..., dict[str, Any]]
POCKET = Path(__file__).parents[4] / "tests/pocket_model/model"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    server = Hub(POCKET, 0, tmp_path / "log")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_to_be_fetched(run_module: Run, hub: str) -> None:
    result = run_module(model_repository_info, repository="toolserve/open", endpoint=hub, exclude=["*.bin"])
    assert result["problem"] == ""
    listing = result["listing"]
    assert (listing["commit"], listing["gated"]) == (COMMIT, False)
    assert {file["path"] for file in listing["files"]} == {file.name for file in POCKET.iterdir()}
    assert listing["bytes"] == sum(file.stat().st_size for file in POCKET.iterdir())


@pytest.mark.parametrize(
    ("repository", "token", "revision", "told"),
    [
        ("gated", None, "main", "behind a licence, and vllm_hf_token is not set"),
        ("gated", KNOWN, "main", "may not read this model"),
        ("gated", "hf_revoked", "main", "does not know the token"),
        ("open", None, "dev", "has no revision dev"),
        ("absent", None, "main", "or it is private and vllm_hf_token is not set"),
        ("absent", GRANTED, "main", "or it is private to another account"),
        ("gated", GRANTED, COMMIT, ""),
    ],
)
def test_why_the_hub_does_not_give_it(
    run_module: Run, hub: str, repository: str, token: str | None, revision: str, told: str
) -> None:
    options = {"token": token} if token else {}
    result = run_module(
        model_repository_info, repository=f"toolserve/{repository}", revision=revision, endpoint=hub, **options
    )
    assert told in result["problem"] and bool(told) == bool(result["problem"])
    assert ("listing" in result) is not bool(told)
    assert not token or token not in str(result)


def test_no_hub_there(run_module: Run, hub: str) -> None:
    result = run_module(model_repository_info, repository="toolserve/open", endpoint="http://127.0.0.1:9", timeout=2)
    assert "does not reach the model hub http://127.0.0.1:9" in result["problem"]
    result = run_module(model_repository_info, repository="toolserve/open", endpoint=hub, include=["*.bin"])
    assert "has no config.json" in result["problem"]
