#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dpkg_status_copy
short_description: Write a copy of dpkg's records that lacks some packages
version_added: 0.1.0
description:
  - Apt simulates on the records of dpkg. On a copy without some packages it says what it would do once they are gone
    (C(-o Dir::State::status=)), also where it can do nothing now because their dependencies are broken.
  - The records of the machine are only read.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.standard_library
attributes:
  check_mode:
    support: none
    details:
      - In check mode the copy is not written. Where it is for a simulation, set C(check_mode) of the task to false.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  dest:
    description:
      - The file to write. Its folder must be there, and be for this file alone, because apt puts its lock beside it.
    type: path
    required: true
  without:
    description: The packages to leave out, with their architecture behind a colon where that is not the machine's own.
    type: list
    elements: str
    default: []
  status:
    description: The records to copy.
    type: path
    default: /var/lib/dpkg/status
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Write dpkg's records as they would be without two packages
  toolserve.gpunode.dpkg_status_copy:
    dest: "{{ folder.path }}/status"
    without: [libnvidia-compute-535, libnvidia-gl-535:i386]

- name: Let apt say what an install would do then
  ansible.builtin.command: >-
    apt-get --simulate --option Dir::State::status={{ folder.path }}/status install cuda-drivers
  changed_when: false
"""

RETURN = r"""
dest:
  description: The file that was written.
  type: str
  returned: always
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import dpkg_status_file
from ansible_collections.toolserve.gpunode.plugins.module_utils.command import ask


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "without": {"type": "list", "elements": "str", "default": []},
            "status": {"type": "path", "default": "/var/lib/dpkg/status"},
        },
        supports_check_mode=False,
    )
    dest, status = Path(module.params["dest"]), Path(module.params["status"])
    try:
        records = status.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        module.fail_json(msg=f"The records of dpkg cannot be read: {error}. Is this Debian or Ubuntu?")
    native = ask(("dpkg", "--print-architecture")).strip()
    copy = dpkg_status_file.without(records, module.params["without"], native).encode("utf-8", "surrogateescape")
    try:
        changed = not dest.exists() or dest.read_bytes() != copy
        if changed:
            dest.write_bytes(copy)
    except OSError as error:
        module.fail_json(msg=f"The copy cannot be written: {error}. The folder of dest must be there.")
    module.exit_json(changed=changed, dest=str(dest))


if __name__ == "__main__":
    main()
