# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action behind the module wait_for_endpoint: loops on the controller, looks on the target."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.toolserve.gpunode.plugins.module_utils import server_container
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import ENDPOINT_OPTIONS
from ansible_collections.toolserve.gpunode.plugins.module_utils.rules_startup import startup_causes
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_container import Container
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log import (
    LogLine,
    Progress,
    progress,
    read_lines,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.server_log_facts import read_facts, without_secrets

SHOWN_LINES = 30
# How much of the log each look reads: a start of vLLM writes about a hundred lines.
LOOK_LINES = 400
# How much of it the last look reads, so that a server which has been up for hours still has its start in there.
WHOLE_LINES = 4000
# How long one look may take: a server that hangs must not hide what its container does.
LOOK_TIMEOUT = 10.0

display = Display()


@dataclass(frozen=True)
class Sight:
    """What one look has seen."""

    endpoint: dict[str, Any]
    container: Container | None = None
    lines: list[LogLine] = field(default_factory=list)

    @property
    def progress(self) -> Progress:
        return progress(self.lines, self.container.started if self.container else None)

    @property
    def error(self) -> str:
        if self.endpoint["error"]:
            return str(self.endpoint["error"]["seen"])
        return "answers, but is not healthy" if not self.endpoint["healthy"] else "answers, but lists no model yet"

    def describe(self) -> str:
        """For a progress line."""
        if self.container is None:
            return self.error
        if not self.container.running:
            return f"{self.error}; container {self.container.describe()}"
        health = f"; container {self.container.health}" if self.container.health else ""
        return f"{self.progress.describe()}; {self.error}{health}"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Waits, and says so."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, self._options = self.validate_argument_spec(
            {
                **ENDPOINT_OPTIONS,
                "ca_path": {"type": "str"},  # a path on the target: not to be expanded here
                "timeout": {"type": "float", "default": 900.0},
                "interval": {"type": "float", "default": 5.0},
                "report_interval": {"type": "float", "default": 30.0},
                "container": {"type": "str"},
            }
        )
        if min(self._options[name] for name in ("timeout", "interval", "report_interval")) <= 0:
            raise AnsibleActionFail("timeout, interval and report_interval must be more than 0 seconds.")
        self._task_vars = task_vars or {}
        return result | self._wait()

    def _wait(self) -> dict[str, Any]:
        timeout = self._options["timeout"]
        started = time.monotonic()
        restarts_before: int | None = None
        report = _Report(self._task_vars.get("inventory_hostname", "target"), timeout, self._options["report_interval"])
        while True:
            endpoint = self._look()
            if endpoint.get("failed") or endpoint.get("unreachable"):
                # The module did not run, or the options cannot be used: waiting changes nothing.
                return endpoint
            seconds = round(time.monotonic() - started, 1)
            if endpoint["healthy"] and endpoint["models"]:
                found = {key: endpoint[key] for key in ("version", "models")}
                return {"changed": False, "seconds": seconds, **found, **self._start()}
            outcome = {"changed": False, "seconds": seconds, "last_error": Sight(endpoint).error}
            if self._task.check_mode:
                told = f"Check mode looks once and does not wait: {Sight(endpoint).error}."
                return outcome | {"skipped": True, "msg": told}
            if endpoint["auth_required"] and (endpoint["error"] or {}).get("status") in (401, 403):
                return outcome | {"failed": True, "msg": endpoint["error"]["message"]}
            sight = self._sight(endpoint)
            if sight.container is not None:
                if restarts_before is None:
                    restarts_before = sight.container.restarts
                if reason := sight.container.reason_to_stop(restarts_before):
                    return outcome | self._stopped(reason, sight.container)
            report.tell(seconds, sight.describe())
            remaining = timeout - (time.monotonic() - started)
            if remaining <= 0:
                return outcome | self._timed_out(sight)
            time.sleep(min(self._options["interval"], remaining))

    def _look(self) -> dict[str, Any]:
        arguments = {name: self._options[name] for name in ENDPOINT_OPTIONS if self._options[name] is not None}
        arguments["timeout"] = min(LOOK_TIMEOUT, self._options["timeout"])
        endpoint: dict[str, Any] = self._execute_module(
            module_name="toolserve.gpunode.endpoint_info", module_args=arguments, task_vars=self._task_vars
        )
        return endpoint

    def _sight(self, endpoint: dict[str, Any]) -> Sight:
        if not self._options["container"]:
            return Sight(endpoint)
        container = self._container(self._options["container"])
        return Sight(endpoint, container, self._log(container, LOOK_LINES))

    def _container(self, name: str) -> Container:
        inspected = self._docker(["container", "inspect", "--format", server_container.INSPECT_FORMAT, name])
        if inspected["rc"] == 0:
            return server_container.from_inspection(name, inspected["stdout"])
        if "no such container" in inspected["stderr"].lower():
            return Container(name, server_container.MISSING)
        raise AnsibleActionFail(
            f"docker cannot tell about the container {name}: {inspected['stderr'].strip()} Check that the Docker "
            "service runs and that the task may use it (become), or leave out the option container."
        )

    def _log(self, container: Container, count: int) -> list[LogLine]:
        if container.state == server_container.MISSING:
            return []
        answer = self._docker(["logs", "--timestamps", "--tail", str(count), container.name])
        streams = (answer["stdout"], answer["stderr"])  # servers log to either
        if key := self._options["api_key"]:  # vLLM up to 0.28 writes its arguments into its log, the key among them
            streams = tuple(stream.replace(key, "***") for stream in streams)
        return read_lines(*streams)

    def _docker(self, arguments: list[str]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.command",
            module_args={"argv": ["docker", *arguments]},
            task_vars=self._task_vars,
        )
        if "rc" not in answer or "stdout" not in answer:
            raise AnsibleActionFail(f"docker cannot be run on the target: {answer.get('msg', answer)}")
        return answer

    def _start(self) -> dict[str, Any]:
        """What the log tells about the start of a server that is up; it is, so that no log is no failure."""
        if not self._options["container"] or self._task.check_mode:
            return {}
        try:
            container = self._container(self._options["container"])
            lines = self._log(container, WHOLE_LINES)
        except AnsibleActionFail:
            return {}
        # A log that fills the limit has lost its beginning, and with it the first phases.
        complete = len(lines) < WHOLE_LINES
        phases = _phases(progress(lines, container.started)) if complete else []
        return {"phases": phases, "log_facts": read_facts(lines).as_dict()}

    def _stopped(self, reason: str, container: Container) -> dict[str, Any]:
        if container.state == server_container.MISSING:
            advice = "Deploy it first, or correct the option container."
            return {"failed": True, "msg": f"{reason}. {advice}", "container": {"state": container.state}}
        lines = self._log(container, WHOLE_LINES)
        causes = startup_causes(
            lines,
            exit_code=container.exit_code,
            out_of_memory=container.out_of_memory,
            docker_error=container.error,
        )
        told = [f"{reason}. Waiting longer is no use."]
        told += _told(causes[:1]) or [f"The reason is usually in its log: docker logs {container.name}"]
        # One that runs has just been restarted: what counts is the start before.
        reached = progress(lines, None if container.running else container.started)
        return self._failed(told, container, lines, causes, reached)

    def _timed_out(self, sight: Sight) -> dict[str, Any]:
        endpoint = sight.endpoint
        told = [
            f"The endpoint {endpoint['base_url']} is not ready after {self._options['timeout']:g} s. "
            f"The last look saw: {(endpoint['error'] or {}).get('message') or sight.error}",
        ]
        if sight.container is None:
            told.append(
                "Look into the server's log on the target, for a container with: docker logs --tail 50 NAME. If it is "
                "still loading, raise timeout."
            )
            return {"failed": True, "msg": "\n".join(told)}
        lines = self._log(sight.container, WHOLE_LINES)
        # The server still runs: only what leaves no doubt is worth telling.
        causes = [cause for cause in startup_causes(lines) if cause.confidence == CERTAIN]
        told += _told(causes[:1])
        told.append(
            f"The container {sight.container.name} is {sight.container.describe()}, its server: "
            f"{sight.progress.describe()}. If it is still getting on, raise timeout. More of its log: docker logs "
            f"{sight.container.name}"
        )
        return self._failed(told, sight.container, lines, causes, progress(lines, sight.container.started))

    @staticmethod
    def _failed(
        told: list[str], container: Container, lines: list[LogLine], causes: list[Cause], reached: Progress
    ) -> dict[str, Any]:
        shown = [without_secrets(line.text) for line in lines[-SHOWN_LINES:]]
        return {
            "failed": True,
            "msg": "\n".join([*told, *(["The end of its log:", *shown] if shown else [])]),
            "causes": [cause.as_dict() for cause in causes],
            "phase": reached.describe(),
            "phases": _phases(reached),
            "container": {
                "state": container.state,
                "exit_code": container.exit_code,
                "restarts": container.restarts,
                "log": shown,
            },
        }


class _Report:
    """Progress lines: when something has changed, and now and then so that nobody has to guess."""

    def __init__(self, host: str, timeout: float, interval: float) -> None:
        self._host = host
        self._timeout = timeout
        self._interval = interval
        self._last = ("", 0.0)

    def tell(self, seconds: float, seen: str) -> None:
        told, at = self._last
        if seen != told or seconds - at >= self._interval:
            display.display(f"[{self._host}] endpoint: waiting {seconds:.0f} s of {self._timeout:g} s: {seen}")
            self._last = (seen, seconds)


def _told(causes: list[Cause]) -> list[str]:
    return [
        line
        for cause in causes
        for line in (f"What was seen: {cause.symptom}", f"Cause: {cause.cause}", f"Fix: {cause.fix}")
    ]


def _phases(reached: Progress) -> list[dict[str, Any]]:
    return [{"phase": phase, "seconds": seconds} for phase, seconds in reached.seconds]
