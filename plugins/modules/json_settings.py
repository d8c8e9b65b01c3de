#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: json_settings
short_description: Lay settings into a JSON file of a user, comments and all
version_added: 0.1.0
description:
  - Changes the text of a JSON file only where a setting differs. Comments, trailing commas, order and indentation of
    everything else stay, and so do all other settings.
  - Writes after a backup and in one step. Owner and mode of an existing file stay, and a symbolic link is followed, not
    replaced.
  - A file that is empty, not valid, ambiguous, or that holds something else where an object has to be, is an error that
    says where. It is left as it is.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.standard_library
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Passwords in URLs, and the values of keys whose name speaks of an API key, a token, password, secret or
        credential, are masked. References like C({env:NAME}) are shown.
  idempotent:
    support: full
options:
  path:
    description: The file. It is created, with its folder, where it does not exist.
    type: path
    required: true
  settings:
    description:
      - Settings that win over what the file has. Objects are merged at every depth, lists and other values are
        replaced.
    type: dict
    default: {}
  defaults:
    description:
      - Settings for the gaps only. A value in the file is never changed by them.
    type: dict
    default: {}
  lists_by:
    description:
      - Lists of objects are merged too. An entry of the file that has the same value of this member as one of
        O(settings) is merged with it, the other entries stay. Entries that are new come last.
      - By default a list is one value, which is replaced.
    type: str
seealso:
  - module: toolserve.gpunode.client_config_check
  - module: toolserve.gpunode.generated_file
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Let OpenCode know a server
  toolserve.gpunode.json_settings:
    path: ~/.config/opencode/opencode.json
    settings:
      provider:
        vllm:
          npm: "@ai-sdk/openai-compatible"
          options:
            baseURL: http://127.0.0.1:8000/v1
          models:
            qwen:
              limit:
                context: 21780
                output: 4096
    defaults:
      model: vllm/qwen
"""

RETURN = r"""
changed_keys:
  description: The top-level settings that differ.
  type: list
  elements: str
  returned: success
  sample: [provider]
backup_file:
  description: The copy of the file as it was.
  type: str
  returned: when an existing file has been changed
  sample: /home/user/.config/opencode/opencode.json.1234.2026-11-21@15:04:05~
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import document_file, jsonc_document
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import DocumentError, same


class JsonSettings:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path: str = module.params["path"]
        self.target = os.path.realpath(self.path)

    def run(self) -> None:
        content = self.read()
        settings, defaults = self.module.params["settings"], self.module.params["defaults"]
        lists_by = self.module.params["lists_by"]
        try:
            before = {} if content is None else jsonc_document.read(content)
            old = "" if content is None else content.decode("utf-8")
            new = (
                jsonc_document.fresh(settings, defaults)
                if content is None
                else jsonc_document.merged(old, settings, defaults, lists_by)
            )
            after = jsonc_document.read(new.encode("utf-8"))
        except DocumentError as error:
            self.module.fail_json(msg=f"{self.path}, {error} The file is left as it is.")
        self.module.no_log_values |= jsonc_document.secrets(before) | jsonc_document.secrets(after)
        result = {
            "changed": old != new,
            "changed_keys": [key for key in {**before, **after} if not same(before.get(key), after.get(key))],
        }
        if result["changed"] and not self.module.check_mode:
            result |= document_file.replace(self.module, self.target, new, exists=content is not None)
        if self.module._diff:
            result["diff"] = {
                "before": old,
                "after": new,
                "before_header": self.path,
                "after_header": self.path,
            }
        self.module.exit_json(**result)

    def read(self) -> bytes | None:
        try:
            with open(self.target, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.module.fail_json(msg=f"{self.path} cannot be read: {error.strerror}. Nothing was changed.")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "settings": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "lists_by": {"type": "str"},
        },
        supports_check_mode=True,
    )
    JsonSettings(module).run()


if __name__ == "__main__":
    main()
