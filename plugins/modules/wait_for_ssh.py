#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for_ssh
short_description: Wait until a certain system answers by SSH
version_added: 0.1.0
description:
  - Logs in again and again, each time over a new connection, until a command prints what is expected. So a system is
    told from the one that ran before the reboot.
  - Needs no Python on the target. Never asks anything, and tells a host key that has changed from a server that is
    down.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
attributes:
  action:
    support: full
    description: Whether it has an action plugin on the controller.
    details:
      - All of it runs on the controller, but for the command.
options:
  command:
    description: What is run on the target. It must change nothing, as it runs in check mode too, and several times.
    type: str
    default: "true"
  expected:
    description: A regular expression that is searched for in what the command prints. It has to end with 0 as well.
    type: str
    default: ""
  timeout:
    description: For how many seconds it is tried. With V(0) it is tried once.
    type: float
    default: 600.0
  interval:
    description: The seconds between two tries.
    type: float
    default: 3.0
seealso:
  - module: ansible.builtin.wait_for_connection
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Wait for the new system
  toolserve.gpunode.wait_for_ssh:
    command: hostname
    expected: ^gpu1$
    timeout: 900
"""

RETURN = r"""
reason:
  description:
    - Empty where the expected system has answered, V(other) where another one has.
    - V(changed_key) and V(unknown_key) where its host key is not the known one or not known at all, V(login) where the
      login was refused, and V(unreachable) where nothing answered.
  returned: always
  type: str
  sample: unreachable
ssh:
  description: What SSH said at the last try.
  returned: always
  type: str
rc:
  description: How the command has ended.
  returned: always
  type: int
stdout:
  description: What the command has printed.
  returned: always
  type: str
seconds:
  description: How long it took.
  returned: always
  type: float
"""
