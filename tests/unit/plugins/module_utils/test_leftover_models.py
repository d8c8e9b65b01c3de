# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.toolserve.gpunode.plugins.module_utils.leftover_models import leftovers

CONTAINERS = """chat-server\trunning\tchat\t/opt/vllm-chat
old-server\texited\told\t/srv/old
strange\trunning\t\t
"""


def test_a_project_that_nobody_asks_for_is_told_with_how_to_remove_it() -> None:
    (note,) = leftovers(CONTAINERS, [], ["chat"])
    assert "old in /srv/old (container old-server, exited)" in note and "left as it is" in note
    assert """-e '{"gpunode_models": [{"vllm_project_name": "old", "vllm_project_dir": "/srv/old"}]}'""" in note


def test_the_directory_is_said_only_where_it_does_not_follow_from_the_name() -> None:
    (note,) = leftovers("chat-server\trunning\tchat\t/opt/vllm-chat\n", [], ["coder"])
    assert """'{"gpunode_models": [{"vllm_project_name": "chat"}]}'""" in note


def test_what_is_asked_for_is_no_leftover() -> None:
    timers = ["gpunode-verify.timer", "gpunode-verify-chat.timer"]
    assert leftovers(CONTAINERS, timers, ["chat", "old", "vllm"]) == []
    assert leftovers("", [], ["chat"]) == []


def test_a_timer_without_its_project_is_told_and_one_with_it_only_once() -> None:
    timers = ["gpunode-verify-gone.timer", "gpunode-verify-old.timer"]
    project, timer = leftovers(CONTAINERS, timers, ["chat"])
    assert "gpunode-verify-gone.timer repeats the verification of gone" in timer and "project old" in project
    (single,) = leftovers("", ["gpunode-verify.timer"], ["chat"])
    assert "verification of vllm" in single
