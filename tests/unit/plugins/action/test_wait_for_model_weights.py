# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.toolserve.gpunode.plugins.action import wait_for_model_weights

GB = 10**9


def look(present: int, phase: str = "downloading", message: str = "", *, running: bool = True) -> dict[str, Any]:
    """What model_weights_info returns."""
    download = {"running": running, "phase": phase, "message": message, "total": 10 * GB, "present": present}
    return {"complete": phase == "done", "present_bytes": present, "download": download}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was displayed; time stands still but for the sleeps."""
    shown: list[str] = []
    clock = [0.0]
    monkeypatch.setattr(wait_for_model_weights, "display", mock.Mock(display=shown.append))
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return shown


def wait(*looks: dict[str, Any], check_mode: bool = False, **options: Any) -> dict[str, Any]:
    arguments = {"path": "/m", "unit": "gpunode-weights-x.service", "notes": "/run/n", **options}
    task = mock.Mock(args=arguments, check_mode=check_mode, async_val=0, diff=False)
    action = wait_for_model_weights.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    answers = list(looks)
    with mock.patch.object(
        action, "_execute_module", lambda **_call: answers.pop(0) if len(answers) > 1 else answers[0]
    ):
        result: dict[str, Any] = action.run(task_vars={"inventory_hostname": "node1"})
        return result


def test_progress_with_rate_until_it_is_complete(lines: list[str]) -> None:
    result = wait(look(GB), look(2 * GB), look(10 * GB, "checking"), look(10 * GB, "done", running=False), interval=15)
    assert (result.get("failed"), result["seconds"]) == (None, 45)
    assert lines == [
        "[node1] weights: 10 % of 10.0 GB",
        "[node1] weights: 20 % of 10.0 GB, 66.7 MB/s, 2 min left",
        "[node1] weights: checking the checksums of 10.0 GB",
    ]


def test_a_download_that_is_complete_needs_no_line(lines: list[str]) -> None:
    assert wait(look(10 * GB, "done", running=False))["seconds"] == 0
    assert lines == []


def test_a_failure_ends_the_wait_with_its_reason(lines: list[str]) -> None:
    result = wait(look(GB), look(GB, "failed", "The disk is full.", running=False))
    assert result["failed"] and result["msg"] == "The disk is full."


def test_a_unit_that_is_gone_ends_the_wait(lines: list[str]) -> None:
    result = wait(look(GB), look(GB, running=False))
    assert result["failed"] and "what has arrived is kept" in result["msg"]


def test_only_a_stall_ends_it_not_the_time(lines: list[str]) -> None:
    slow = [look(GB + number) for number in range(50)]
    assert "failed" not in wait(*slow, look(10 * GB, "done"), interval=60, stall_timeout=100)
    checking = [look(10 * GB, "checking")] * 50
    assert "failed" not in wait(*checking, look(10 * GB, "done"), interval=60, stall_timeout=100)
    result = wait(
        look(GB), look(2 * GB), look(2 * GB, "retrying", "ConnectError: no route"), interval=60, stall_timeout=100
    )
    assert result["failed"] and "Nothing has arrived for 100 s" in result["msg"]
    assert "no route" in result["msg"] and "journalctl --unit gpunode-weights-x.service" in result["msg"]


def test_check_mode_does_not_wait(lines: list[str]) -> None:
    result = wait(look(GB), check_mode=True)
    assert result["skipped"] and "10 % of 10.0 GB" in result["msg"]


def test_check_mode_passes_where_no_download_was_begun(lines: list[str]) -> None:
    nothing = look(0, phase="", running=False)
    result = wait(nothing, check_mode=True)
    assert result["skipped"] and not result.get("failed")
    assert wait(nothing)["failed"]


def test_bad_options_and_a_module_that_did_not_run(lines: list[str]) -> None:
    with pytest.raises(AnsibleActionFail, match="more than 0 seconds"):
        wait(look(GB), interval=0)
    assert wait({"failed": True, "msg": "no python"}) == {"failed": True, "msg": "no python"}
