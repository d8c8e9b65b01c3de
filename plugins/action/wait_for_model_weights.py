# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action behind the module wait_for_model_weights: loops on the controller, looks on the target."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_download import Download

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Waits, and says so."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, self._options = self.validate_argument_spec(
            {
                "path": {"type": "str", "required": True},  # a path on the target: not to be expanded here
                "unit": {"type": "str", "required": True},
                "notes": {"type": "str", "required": True},
                "stall_timeout": {"type": "float", "default": 600.0},
                "interval": {"type": "float", "default": 5.0},
                "report_interval": {"type": "float", "default": 15.0},
            }
        )
        if min(self._options[name] for name in ("stall_timeout", "interval", "report_interval")) <= 0:
            raise AnsibleActionFail("stall_timeout, interval and report_interval must be more than 0 seconds.")
        self._task_vars = task_vars or {}
        return result | self._wait()

    def _wait(self) -> dict[str, Any]:
        started = arrived_at = reported_at = time.monotonic()
        arrived = reported = -1
        while True:
            look = self._look()
            if look.get("failed") or look.get("unreachable"):
                return look
            download, now = Download(**look["download"]), time.monotonic()
            outcome = {
                "changed": False,
                "seconds": round(now - started, 1),
                "present_bytes": look["present_bytes"],
                "download": look["download"],
            }
            if look["complete"]:
                return outcome
            # First: what a dry run does not begin has no result.
            if self._task.check_mode:
                told = f"Check mode looks once and does not wait: {download.describe()}."
                return outcome | {"skipped": True, "msg": told}
            if reason := download.reason_to_stop:
                return outcome | {"failed": True, "msg": reason}
            # While checksums are computed nothing arrives.
            if download.present > arrived or download.phase == "checking":
                arrived, arrived_at = download.present, now
            if now - arrived_at >= self._options["stall_timeout"]:
                return outcome | {"failed": True, "msg": self._stalled(download)}
            if reported < 0 or now - reported_at >= self._options["report_interval"]:
                rate = (download.present - reported) / (now - reported_at) if reported >= 0 else None
                self._tell(download.describe(rate))
                reported, reported_at = download.present, now
            time.sleep(self._options["interval"])

    def _look(self) -> dict[str, Any]:
        look: dict[str, Any] = self._execute_module(
            module_name="toolserve.gpunode.model_weights_info",
            module_args={name: self._options[name] for name in ("path", "unit", "notes")},
            task_vars=self._task_vars,
        )
        return look

    def _tell(self, seen: str) -> None:
        display.display(f"[{self._task_vars.get('inventory_hostname', 'target')}] weights: {seen}")

    def _stalled(self, download: Download) -> str:
        return (
            f"Nothing has arrived for {self._options['stall_timeout']:g} s: {download.describe()}. "
            f"{download.message or 'The connection to the hub may hang.'} Look at journalctl --unit "
            f"{self._options['unit']} on the node, and run the play again: the download goes on by itself, and what "
            "has arrived is kept."
        )
