#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_rival_sources_info
short_description: Find what else names an apt repository that is about to be added
version_added: 0.1.0
description:
  - Reads C(/etc/apt/sources.list) and the files in C(/etc/apt/sources.list.d), in both formats, without asking apt. apt
    reads nothing while two sources of one repository name different keys.
  - A file that holds nothing but such sources can be put aside, which the role P(toolserve.gpunode.apt_repository#role)
    does. A file that holds more, and C(sources.list) itself, is a reason to stop.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
options:
  addresses:
    description:
      - The repository, and those that it replaces. What lies below one of them counts too, and so does http for https.
    type: list
    elements: str
    required: true
  own_file:
    description: The file that is about to be written. It counts only where it names other repositories as well.
    type: path
    required: true
seealso:
  - module: ansible.builtin.deb822_repository
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Look for other sources of Docker's repository
  toolserve.gpunode.apt_rival_sources_info:
    addresses: [https://download.docker.com/linux/debian]
    own_file: /etc/apt/sources.list.d/docker.sources
  register: rivals

- name: Stop where one of them is not ours to put aside
  ansible.builtin.assert:
    that: rivals.reasons_to_stop | length == 0
    fail_msg: "{{ rivals.reasons_to_stop | join('\n') }}"
"""

RETURN = r"""
superseded:
  description: Files that hold nothing else.
  type: list
  elements: dict
  returned: always
  contains:
    path:
      description: The file.
      type: str
      returned: always
    why:
      description: Why it cannot stay.
      type: str
      returned: always
reasons_to_stop:
  description: One for each file that holds more, with the line to take out of it.
  type: list
  elements: str
  returned: always
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import apt_rival_sources, apt_sources

ROOT = Path("/")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "own_file": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    second = apt_rival_sources.second_source(module.params["addresses"])
    rivals = apt_rival_sources.find(apt_sources.read(ROOT), module.params["own_file"], second)
    module.exit_json(
        changed=False, superseded=[asdict(file) for file in rivals.superseded], reasons_to_stop=rivals.reasons
    )


if __name__ == "__main__":
    main()
