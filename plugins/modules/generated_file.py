#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: generated_file
short_description: Write a file whole, unless somebody has changed it
version_added: 0.1.0
description:
  - Writes a text with a first line that holds the digest of the others, so that a later run can tell what was written
    from what somebody has changed. What nobody has changed is replaced, after a backup and in one step.
  - A file that somebody has changed, or that was there before, is left as it is. It is an error that shows what to
    paste, unless the file has that text already.
  - For formats whose comments no library of the target can keep, such as YAML. A JSON file is merged by
    M(toolserve.gpunode.json_settings).
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.standard_library
attributes:
  check_mode:
    support: full
    details:
      - A file that would be left as it is fails in check mode too.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description: The file. It is created, with its folder, where it does not exist.
    type: path
    required: true
  content:
    description: The text. It is shown where it cannot be written, so that it must hold no secret.
    type: str
    required: true
  comment:
    description: What begins a comment in this kind of file.
    type: str
    default: "#"
seealso:
  - module: toolserve.gpunode.json_settings
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Let Continue know a server
  toolserve.gpunode.generated_file:
    path: ~/.continue/agents/vllm.yaml
    content: |
      name: vLLM
      version: 1.0.0
      schema: v1
      models:
        - name: qwen
          provider: vllm
          model: qwen
          apiBase: http://127.0.0.1:8000/v1
"""

RETURN = r"""
file:
  description: The path, with the home folder of the user in place of a tilde.
  type: str
  returned: success
  sample: /home/user/.continue/agents/vllm.yaml
backup_file:
  description: The copy of the file as it was.
  type: str
  returned: when an existing file has been changed
  sample: /home/user/.continue/agents/vllm.yaml.1234.2026-11-21@15:04:05~
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import document_file, generated_text


class GeneratedFile:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path: str = module.params["path"]
        self.target = os.path.realpath(self.path)

    def run(self) -> None:
        old, content = self.read(), self.module.params["content"]
        state = generated_text.state(old, content)
        if state == generated_text.THEIRS:
            self.module.fail_json(
                msg=f"{self.path} was changed by somebody, or was there before, and is left as it is. Move it away and "
                f"run this again, or paste what has to be in it:\n\n{content}"
            )
        new = generated_text.sealed(content, self.module.params["comment"])
        result = {"file": self.path, "changed": state != generated_text.THERE and old != new}
        if result["changed"] and not self.module.check_mode:
            result |= document_file.replace(self.module, self.target, new, exists=old is not None)
        if self.module._diff and result["changed"]:
            headers = {"before_header": self.path, "after_header": self.path}
            result["diff"] = {"before": old or "", "after": new, **headers}
        self.module.exit_json(**result)

    def read(self) -> str | None:
        try:
            with open(self.target, encoding="utf-8", newline="") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.module.fail_json(msg=f"{self.path} cannot be read: {error.strerror}. Nothing was changed.")
        except UnicodeDecodeError:
            self.module.fail_json(msg=f"{self.path} is no text in UTF-8. It is left as it is; move it away.")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True},
            "comment": {"type": "str", "default": "#"},
        },
        supports_check_mode=True,
    )
    GeneratedFile(module).run()


if __name__ == "__main__":
    main()
