#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_weights_info
short_description: Look whether a folder holds a whole model, and how far its download is
version_added: 0.1.0
description:
  - Looks whether a folder holds a C(config.json) and all safetensors files that its index names, none of them cut off.
    Only their headers are read, so that this takes milliseconds for any model.
  - Looks for the note that the role model_weights writes last, and how much of the model is on the disk.
  - With O(unit) it looks at a download in the background as well.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
options:
  path:
    description: The folder; it need not exist.
    type: path
    required: true
  unit:
    description: The unit of systemd that downloads into it.
    type: str
  notes:
    description: The file in which that download notes how far it is.
    type: path
seealso:
  - module: toolserve.gpunode.model_repository_info
  - module: toolserve.gpunode.wait_for_model_weights
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Look at a model that somebody has brought
  toolserve.gpunode.model_weights_info:
    path: /srv/models/qwen2.5-14b-instruct-awq
  register: model

- name: It is whole
  ansible.builtin.assert:
    that: model.problems | length == 0
    fail_msg: "{{ model.problems | join(' ') }}"
"""

RETURN = r"""
problems:
  description: Why the folder cannot be served; empty when it can.
  type: list
  elements: str
  returned: always
complete:
  description: Whether the note is there that is written last.
  type: bool
  returned: always
marker:
  description: That note; V(null) before it is written.
  type: dict
  returned: always
present_bytes:
  description: How much of the model is there, unfinished files included.
  type: int
  returned: always
free_bytes:
  description: How much of the disk is free where the folder is, or would be.
  type: int
  returned: always
download:
  description: The download in the background.
  type: dict
  returned: when O(unit) is given
  contains:
    running:
      description: Whether it works, or is about to be started again by systemd.
      type: bool
      returned: always
    phase:
      description: One of V(downloading), V(checking), V(retrying), V(done), V(failed); empty before it has begun.
      type: str
      returned: always
    message:
      description: What went wrong.
      type: str
      returned: always
    total:
      description: The bytes that are to arrive.
      type: int
      returned: always
    present:
      description: The bytes that have arrived.
      type: int
      returned: always
"""

import shutil
from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import model_download, model_folder


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "unit": {"type": "str"},
            "notes": {"type": "path"},
        },
        required_together=[("unit", "notes")],
        supports_check_mode=True,
    )
    folder = Path(module.params["path"])
    if not folder.is_absolute():
        module.fail_json(msg=f"{folder} is not an absolute path. Give the path from the root of the node.")
    found = {
        "present_bytes": model_folder.present_bytes(folder),
        "free_bytes": shutil.disk_usage(_nearest(folder)).free,
    }
    if unit := module.params["unit"]:
        # The unit first: a download that ends in between has noted its result, and is not taken for one that died.
        _status, state, _errors = module.run_command(["systemctl", "show", "--property=ActiveState", "--value", unit])
        notes = Path(module.params["notes"])
        noted = notes.read_text(encoding="utf-8") if notes.is_file() else ""
        found["download"] = asdict(model_download.read(state.strip(), noted, found["present_bytes"]))
    marker = model_folder.marker(folder)
    module.exit_json(
        changed=False,
        problems=model_folder.problems(folder),
        complete=marker is not None,
        marker=marker,
        **found,
    )


if __name__ == "__main__":
    main()
