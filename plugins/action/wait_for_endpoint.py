# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action behind the module wait_for_endpoint: loops on the controller, looks on the target."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import ENDPOINT_OPTIONS

LOG_LINES = 30
# How long one look may take: a server that hangs must not hide what its container does.
LOOK_TIMEOUT = 10.0
ENDED = frozenset({"missing", "exited", "dead", "restarting", "removing"})

display = Display()


@dataclass
class Container:
    """What Docker says about the server's container."""

    name: str
    state: str
    health: str = ""
    exit_code: int | None = None
    restarts: int = 0
    out_of_memory: bool = False

    def describe(self) -> str:
        """For a progress line."""
        return f"container {self.state}{f' ({self.health})' if self.health else ''}"

    def reason_to_stop(self, restarts_before: int) -> str | None:
        """Why waiting for this container is pointless."""
        if self.state == "missing":
            return f"The container {self.name} does not exist"
        ending = f"exit code {self.exit_code}{', out of memory' if self.out_of_memory else ''}"
        if self.state in ENDED:
            return f"The container {self.name} is {self.state} ({ending})"
        if self.restarts > restarts_before:
            times = self.restarts - restarts_before
            return f"The container {self.name} ended and was restarted {times} time(s) while waiting ({ending})"
        return None


class ActionModule(ActionBase):  # type: ignore[misc]
    """Waits, and says so."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(
            {
                **ENDPOINT_OPTIONS,
                "ca_path": {"type": "str"},  # a path on the target: not to be expanded here
                "timeout": {"type": "float", "default": 900.0},
                "interval": {"type": "float", "default": 5.0},
                "container": {"type": "str"},
            }
        )
        if options["timeout"] <= 0 or options["interval"] <= 0:
            raise AnsibleActionFail("timeout and interval must be more than 0 seconds.")
        return result | self._wait(options, task_vars or {})

    def _wait(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        host = task_vars.get("inventory_hostname", "target")
        started = time.monotonic()
        restarts_before: int | None = None
        while True:
            endpoint = self._look(options, task_vars)
            if endpoint.get("failed") or endpoint.get("unreachable"):
                # The module did not run, or the options cannot be used: waiting changes nothing.
                return endpoint
            seconds = round(time.monotonic() - started, 1)
            if endpoint["healthy"] and endpoint["models"]:
                found = {key: endpoint[key] for key in ("version", "models")}
                return {"changed": False, "seconds": seconds, **found}
            seen = _seen(endpoint)
            outcome = {"changed": False, "seconds": seconds, "last_error": seen}
            if self._task.check_mode:
                return outcome | {"skipped": True, "msg": f"Check mode looks once and does not wait: {seen}."}
            if endpoint["auth_required"] and (endpoint["error"] or {}).get("status") in (401, 403):
                return outcome | {"failed": True, "msg": endpoint["error"]["message"]}
            container = self._container(options["container"], task_vars)
            if container is not None:
                if restarts_before is None:
                    restarts_before = container.restarts
                if reason := container.reason_to_stop(restarts_before):
                    return outcome | self._stopped(reason, container, options, task_vars)
            waited = f"waiting {seconds:.0f} s of {options['timeout']:g} s"
            display.display(f"[{host}] endpoint: {waited}: {seen}{f'; {container.describe()}' if container else ''}")
            remaining = options["timeout"] - (time.monotonic() - started)
            if remaining <= 0:
                return outcome | self._timed_out(options, endpoint, container, task_vars)
            time.sleep(min(options["interval"], remaining))

    def _look(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = {name: options[name] for name in ENDPOINT_OPTIONS if options[name] is not None}
        arguments["timeout"] = min(LOOK_TIMEOUT, options["timeout"])
        endpoint: dict[str, Any] = self._execute_module(
            module_name="toolserve.gpunode.endpoint_info", module_args=arguments, task_vars=task_vars
        )
        return endpoint

    def _container(self, name: str | None, task_vars: dict[str, Any]) -> Container | None:
        if not name:
            return None
        # Not the whole inspection: it holds the container's environment, and with it secrets.
        wanted = '{"state": {{json .State}}, "restarts": {{json .RestartCount}}}'
        inspected = self._docker(["container", "inspect", "--format", wanted, name], task_vars)
        if inspected["rc"] != 0:
            if "no such container" in inspected["stderr"].lower():
                return Container(name, "missing")
            raise AnsibleActionFail(
                f"docker cannot tell about the container {name}: {inspected['stderr'].strip()} Check that the Docker "
                "service runs and that the task may use it (become), or leave out the option container."
            )
        document = json.loads(inspected["stdout"])
        state = document["state"]
        return Container(
            name,
            state["Status"],
            health=(state.get("Health") or {}).get("Status", ""),
            exit_code=state["ExitCode"],
            restarts=document["restarts"],
            out_of_memory=state["OOMKilled"],
        )

    def _docker(self, arguments: list[str], task_vars: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.command", module_args={"argv": ["docker", *arguments]}, task_vars=task_vars
        )
        if "rc" not in answer or "stdout" not in answer:
            raise AnsibleActionFail(f"docker cannot be run on the target: {answer.get('msg', answer)}")
        return answer

    def _stopped(
        self, reason: str, container: Container, options: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        log = self._log(container, options, task_vars)
        if container.state == "missing":
            advice = "Deploy it first, or correct the option container."
        else:
            advice = f"Waiting longer is no use; the reason is usually in its log: docker logs {container.name}"
        told = [f"{reason}. {advice}", *(["The end of its log:", *log] if log else [])]
        return {"failed": True, "msg": "\n".join(told), "container": _returned(container, log)}

    def _timed_out(
        self, options: dict[str, Any], endpoint: dict[str, Any], container: Container | None, task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        error = endpoint["error"] or {}
        told = [
            f"The endpoint {endpoint['base_url']} is not ready after {options['timeout']:g} s. "
            f"The last look saw: {error.get('message') or _seen(endpoint)}",
        ]
        if container is None:
            told.append(
                "Look into the server's log on the target, for a container with: docker logs --tail 50 NAME. If it is "
                "still loading, raise timeout."
            )
            return {"failed": True, "msg": "\n".join(told)}
        log = self._log(container, options, task_vars)
        told.append(
            f"The {container.describe()}. If the log shows that it is still loading, raise timeout. More of it: "
            f"docker logs {container.name}"
        )
        told += ["The end of its log:", *log]
        return {"failed": True, "msg": "\n".join(told), "container": _returned(container, log)}

    def _log(self, container: Container, options: dict[str, Any], task_vars: dict[str, Any]) -> list[str]:
        if container.state == "missing":
            return []
        answer = self._docker(["logs", "--tail", str(LOG_LINES), container.name], task_vars)
        # Docker keeps the two apart; servers log to either.
        log = f"{answer['stdout']}\n{answer['stderr']}"
        if options["api_key"]:  # vLLM up to 0.28 writes its arguments into its log, the key among them
            log = log.replace(options["api_key"], "***")
        return [line for line in log.split("\n") if line.strip()][-LOG_LINES:]


def _seen(endpoint: dict[str, Any]) -> str:
    if endpoint["error"]:
        return str(endpoint["error"]["seen"])
    return "answers, but is not healthy" if not endpoint["healthy"] else "answers, but lists no model yet"


def _returned(container: Container, log: list[str]) -> dict[str, Any]:
    if container.state == "missing":
        return {"state": container.state}
    return {
        "state": container.state,
        "exit_code": container.exit_code,
        "restarts": container.restarts,
        "log": log,
    }
