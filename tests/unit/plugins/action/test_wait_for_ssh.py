# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.toolserve.gpunode.plugins.action import wait_for_ssh
from ansible_collections.toolserve.gpunode.plugins.module_utils import ssh_failure

# What OpenSSH 9.2 prints.
CHANGED = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."
UNKNOWN = (
    "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\n"
    "Host key verification failed."
)
REFUSED = "root@127.0.0.1: Permission denied (publickey)."
DOWN = "ssh: connect to host 127.0.0.1 port 2222: Connection refused"


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (CHANGED, "changed_key"),
        (UNKNOWN, "unknown_key"),
        (REFUSED, "login"),
        (DOWN, "unreachable"),
        ("Connection timed out during banner exchange", "unreachable"),
        ("kex_exchange_identification: Connection closed by remote host", "unreachable"),
    ],
)
def test_what_ssh_prints_is_one_of_four_reasons(printed: str, reason: str) -> None:
    assert ssh_failure.reason(f"Failed to connect to the host via ssh: {printed}") == reason


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was displayed; time stands still but for the sleeps."""
    shown: list[str] = []
    clock = [0.0]
    monkeypatch.setattr(wait_for_ssh, "display", mock.Mock(display=shown.append))
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return shown


def wait(*answers: str, connection: mock.Mock | None = None, **options: Any) -> dict[str, Any]:
    """Each answer is a host name, or what SSH prints where it fails; the last one stays."""
    connection = connection or mock.Mock(transport="ssh", get_option=lambda _name: "")
    task = mock.Mock(args=options, check_mode=False, async_val=0, diff=False)
    action = wait_for_ssh.ActionModule(task, connection, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    left = list(answers)

    def run(_command: str, **_options: Any) -> dict[str, Any]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if " " in answer:
            raise AnsibleConnectionFailure(answer)
        return {"rc": 0, "stdout": f"{answer}\n", "stderr": ""}

    with mock.patch.object(action, "_low_level_execute_command", run):
        result: dict[str, Any] = action.run(task_vars={"inventory_hostname": "gpu1"})
        return result


def test_the_system_before_the_reboot_is_not_the_one_that_is_awaited(lines: list[str]) -> None:
    result = wait("rescue", DOWN, DOWN, "gpu1", command="hostname", expected="^gpu1$")
    assert (result.get("failed"), result["reason"], result["seconds"]) == (None, "", 9)


def test_a_changed_key_ends_the_wait_at_once(lines: list[str]) -> None:
    result = wait(DOWN, CHANGED, timeout=900)
    assert result["failed"] and (result["reason"], result["seconds"]) == ("changed_key", 3)
    assert "another host key than the one that is known" in result["msg"]


@pytest.mark.parametrize(("answer", "reason"), [(UNKNOWN, "unknown_key"), (REFUSED, "login"), ("other", "other")])
def test_at_the_end_the_last_answer_is_told(lines: list[str], answer: str, reason: str) -> None:
    result = wait(answer, timeout=60, expected="gpu1")
    assert result["failed"] and result["reason"] == reason and "for 60 s" in result["msg"]
    assert len(lines) == 1  # after half a minute


def test_without_time_it_tries_once_and_says_nothing_of_time(lines: list[str]) -> None:
    result = wait(DOWN, timeout=0)
    assert result["failed"] and result["msg"] == f"SSH does not answer. {DOWN}" and result["seconds"] == 0


def test_each_try_is_a_new_connection_that_never_asks(lines: list[str]) -> None:
    options = {"ssh_args": "-o ControlPersist=60s"}
    connection = mock.Mock(transport="ssh", get_option=options.get, set_option=options.__setitem__)
    wait(DOWN, DOWN, "gpu1", connection=connection)
    assert options == {"ssh_args": "-o StrictHostKeyChecking=yes -o ControlPersist=60s"}
    assert connection.reset.call_count == 3


def test_no_setting_makes_ssh_log_in_to_an_unknown_server(lines: list[str]) -> None:
    """Ansible's own command line: SSH takes the first value of an option."""
    connection = connection_loader.get("ssh", PlayContext())
    unchecked = "-o StrictHostKeyChecking=no"
    connection.set_options(
        direct={"host_key_checking": False, "ssh_args": unchecked, "ssh_common_args": unchecked, "host": "127.0.0.1"}
    )
    with mock.patch.object(connection, "reset"):
        wait("gpu1", connection=connection)
    command = [word.decode() for word in connection._build_command("ssh", "ssh", "127.0.0.1", "true")]
    values = [word for word in command if word.startswith("StrictHostKeyChecking=")]
    assert values[0] == "StrictHostKeyChecking=yes" and len(values) == 4
