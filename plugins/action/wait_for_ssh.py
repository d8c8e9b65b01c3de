# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action behind the module wait_for_ssh: everything happens on the controller, but for the command."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.toolserve.gpunode.plugins.module_utils import ssh_failure

display = Display()

_REPORT_INTERVAL = 30.0
# A question about a host key would wait for an answer on the terminal of whoever runs the play. Of an option that is
# given twice SSH takes the first one: that of host_key_checking stands behind ssh_args and before the rest.
_NEVER_ASK = "-o StrictHostKeyChecking=yes"
_MEANINGS = {
    ssh_failure.CHANGED_KEY: "SSH answers with another host key than the one that is known",
    ssh_failure.UNKNOWN_KEY: "SSH answers with a host key that is not known on this machine",
    ssh_failure.LOGIN: "SSH answers, and refuses the login",
    ssh_failure.UNREACHABLE: "SSH does not answer",
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Logs in again and again."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, self._options = self.validate_argument_spec(
            {
                "command": {"type": "str", "default": "true"},
                "expected": {"type": "str", "default": ""},
                "timeout": {"type": "float", "default": 600.0},
                "interval": {"type": "float", "default": 3.0},
            }
        )
        if self._options["timeout"] < 0 or self._options["interval"] <= 0:
            raise AnsibleActionFail("interval must be more than 0 seconds; with the timeout 0 it tries once.")
        self._host = (task_vars or {}).get("inventory_hostname", "target")
        return result | self._wait()

    def _wait(self) -> dict[str, Any]:
        started = reported_at = time.monotonic()
        while True:
            answer = self._ask()
            now = time.monotonic()
            outcome = {"changed": False, "seconds": round(now - started, 1), **answer}
            if answer["reason"] == "":
                return outcome
            # No waiting makes another key the right one.
            if answer["reason"] == ssh_failure.CHANGED_KEY or now - started >= self._options["timeout"]:
                return outcome | {"failed": True, "msg": self._told(answer, now - started)}
            if now - reported_at >= _REPORT_INTERVAL:
                display.display(f"[{self._host}] {now - started:.0f} s: {self._seen(answer)}")
                reported_at = now
            time.sleep(self._options["interval"])

    def _ask(self) -> dict[str, Any]:
        """One login. The reason is empty where the command has printed what is expected."""
        try:
            self._start_anew()
            done = self._low_level_execute_command(self._options["command"], sudoable=True)
        except AnsibleConnectionFailure as error:
            printed = str(error.message if hasattr(error, "message") else error)
            return {"reason": ssh_failure.reason(printed), "ssh": printed.strip(), "rc": None, "stdout": ""}
        met = done["rc"] == 0 and re.search(self._options["expected"], done["stdout"])
        return {"reason": "" if met else "other", "ssh": "", "rc": done["rc"], "stdout": done["stdout"]}

    def _start_anew(self) -> None:
        """A connection that is kept open would belong to the system before the reboot."""
        if self._connection.transport == "ssh":
            given = self._connection.get_option("ssh_args") or ""
            if not given.startswith(_NEVER_ASK):
                self._connection.set_option("ssh_args", f"{_NEVER_ASK} {given}".strip())
        self._connection.reset()

    def _told(self, answer: dict[str, Any], seconds: float) -> str:
        waited = f" for {seconds:.0f} s" if self._options["timeout"] else ""
        return f"{self._seen(answer)}{waited}. {answer['ssh']}".strip()

    @staticmethod
    def _seen(answer: dict[str, Any]) -> str:
        if answer["reason"] == "other":
            seen = f"rc {answer['rc']}, {answer['stdout'].strip()[:200]!r}"
            return f"Another system than the expected one answers ({seen})"
        return _MEANINGS[answer["reason"]]
