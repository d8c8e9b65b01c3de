#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_options
short_description: Merge options into Docker's daemon.json
version_added: 0.1.0
description:
  - Lays options over those that the file already has. Everything else in the file stays, with its value and its place.
  - Writes only where the meaning differs, in the file's own indentation, after a backup, in one step. Owner and mode of
    an existing file stay, and a symbolic link is followed, not replaced.
  - Tells which of the changes dockerd takes up on a reload (SIGHUP) and which need a restart. It never reloads or
    restarts the daemon itself.
  - A file that is empty, not valid JSON or ambiguous is an error that names line and column. It is left as it is.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
attributes:
  check_mode:
    support: full
    details:
      - The merged options are validated in check mode too, unless the program of O(validate) is not installed yet.
  diff_mode:
    support: full
    details:
      - Passwords in URLs, and the values of keys whose name speaks of a token, password, secret or credential, are
        masked.
  idempotent:
    support: full
options:
  path:
    description: The file. It is created, with its folder, where it does not exist.
    type: path
    default: /etc/docker/daemon.json
  options:
    description:
      - Options that win over what the file has. Objects are merged at every depth, lists and other values are replaced.
      - An option C(log-driver) that changes the driver removes the C(log-opts) of the old one, with a warning, because
        dockerd does not start with the log options of another driver.
    type: dict
    default: {}
  defaults:
    description:
      - Options for the gaps only. A value in the file, or in O(options), is never changed by them.
      - In an object that exists, such as C(log-opts) or C(default-ulimits), missing entries are added. Nothing is mixed
        any deeper.
      - C(log-driver) and C(log-opts) are left out where another log driver is chosen already.
    type: dict
    default: {}
  validate:
    description:
      - A command that must accept the merged options before they are written. C(%s) in it is replaced by the path of a
        temporary file.
      - C(dockerd --validate --config-file %s) asks the engine itself. One older than 23.0 cannot be asked, which is
        a warning. Add the other flags that the daemon is started with, because dockerd refuses an option that is said
        both in the file and by a flag.
    type: str
notes:
  - Needs Python 3.10 or later on the target, and nothing else.
seealso:
  - name: The options of daemon.json
    description: Docker's reference.
    link: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Bound the logs where nobody has chosen anything else, and add a runtime
  toolserve.gpunode.docker_daemon_options:
    defaults:
      log-driver: json-file
      log-opts:
        max-size: 50m
        max-file: "5"
    options:
      runtimes:
        nvidia:
          path: nvidia-container-runtime
          args: []
    validate: dockerd --validate --config-file %s
  become: true
  register: daemon

- name: Say what the change takes
  ansible.builtin.debug:
    msg: "{{ 'restart' if daemon.restart_keys | length > 0 else 'reload' }}"
  when: daemon is changed
"""

RETURN = r"""
options:
  description: The merged options, as the file has them now or would have them.
  type: dict
  returned: success
  sample:
    live-restore: true
changed_keys:
  description: The top-level options that differ, in the order of the file.
  type: list
  elements: str
  returned: success
  sample: [log-driver, runtimes]
restart_keys:
  description: Those of RV(changed_keys) that dockerd takes up only on a restart. For the others a reload is enough.
  type: list
  elements: str
  returned: success
  sample: [log-driver]
stranding_keys:
  description:
    - Those of RV(restart_keys) that running containers do not get through even with C(live-restore), because they rest
      on them, such as C(data-root) or C(bip).
  type: list
  elements: str
  returned: success
  sample: []
dropped_keys:
  description: Options of the file that were removed because they contradict O(options).
  type: list
  elements: str
  returned: success
  sample: [log-opts]
validated:
  description: Whether the command of O(validate) has accepted the merged options.
  type: bool
  returned: success
  sample: true
backup_file:
  description: The copy of the file as it was.
  type: str
  returned: when an existing file has been changed
  sample: /etc/docker/daemon.json.1234.2026-11-21@15:04:05~
"""

import os
import shlex
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import document_file
from ansible_collections.toolserve.gpunode.plugins.module_utils.docker_daemon_effect import effect
from ansible_collections.toolserve.gpunode.plugins.module_utils.docker_daemon_merge import merge
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import (
    DocumentError,
    parse,
    render,
    same,
    secrets,
)


class DaemonOptions:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path: str = module.params["path"]
        self.target = os.path.realpath(self.path)

    def run(self) -> None:
        content = self.read()
        before = self.parsed(content)
        merged = merge(before, self.module.params["options"], self.module.params["defaults"])
        self.module.no_log_values |= secrets(before) | secrets(merged.options)
        changed = not same(before, merged.options)
        old = (content or b"").decode("utf-8")
        new = self.rendered(merged.options, old) if changed else old
        result = {"changed": changed, "options": merged.options, "dropped_keys": merged.dropped, "validated": False}
        for key in merged.dropped:
            self.module.warn(f"{self.path}: {key} is removed, because the options choose another log-driver.")
        if changed:
            result["validated"] = self.validate(new, content)
            if not self.module.check_mode:
                result |= document_file.replace(self.module, self.target, new, exists=content is not None)
        if self.module._diff:
            result["diff"] = {
                "before": old,
                "after": new,
                "before_header": self.path,
                "after_header": self.path,
            }
        found = effect(before, merged.options)
        self.module.exit_json(
            changed_keys=found.changed, restart_keys=found.restart, stranding_keys=found.stranding, **result
        )

    def read(self) -> bytes | None:
        try:
            with open(self.target, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.module.fail_json(msg=f"{self.path} cannot be read: {error.strerror}. Nothing was changed.")

    def parsed(self, content: bytes | None) -> dict:
        try:
            return {} if content is None else parse(content)
        except DocumentError as error:
            self.module.fail_json(msg=f"{self.path}, {error} The file is left as it is.")

    def rendered(self, options: dict, old: str) -> str:
        try:
            return render(options, like=old)
        except ValueError as error:
            self.module.fail_json(msg=f"The options cannot be written as JSON: {error}. {self.path} is left as it is.")

    def validate(self, new: str, old: bytes | None) -> bool:
        """Whether the command has accepted the text; ends the module where it refuses."""
        command: str | None = self.module.params["validate"]
        if not command:
            return False
        program = shlex.split(command)[0]
        if self.module.check_mode and self.module.get_bin_path(program) is None:
            return False
        status, answer = self.asked(command, new.encode())
        if status == 0:
            return True
        if "unknown flag: --validate" in answer:
            self.module.warn(f"The options were not validated: this {program} is older than 23.0 and cannot do that.")
            return False
        own_fault = old is not None and self.asked(command, old)[0] != 0
        self.module.fail_json(
            msg=f"{program} refuses the merged options: {answer.strip()}. {self.path} is left as it is. "
            + (
                "The file as it is now is refused too: correct it first."
                if own_fault
                else "Change the options that are asked for, or those of the file that they do not go with."
            )
        )

    def asked(self, command: str, content: bytes) -> tuple[int, str]:
        with tempfile.NamedTemporaryFile(dir=self.module.tmpdir, suffix=".json") as file:
            file.write(content)
            file.flush()
            # Quoted by the caller already; a replacement and not "%", because other flags may hold a percent sign.
            status, output, errors = self.module.run_command(command.replace("%s", shlex.quote(file.name)))
        return status, errors or output


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "options": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "validate": {"type": "str"},
        },
        supports_check_mode=True,
    )
    if module.params["validate"] and "%s" not in module.params["validate"]:
        module.fail_json(msg="validate has no %s, which stands for the path of the file to validate.")
    DaemonOptions(module).run()


if __name__ == "__main__":
    main()
