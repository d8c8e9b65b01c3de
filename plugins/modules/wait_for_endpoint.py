#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for_endpoint
short_description: Wait until an OpenAI-compatible endpoint serves a model
version_added: 0.1.0
description:
  - Asks the endpoint again and again until it is healthy and lists at least one model, and prints a line each time, so
    that nobody has to guess whether anything happens.
  - With O(container) it looks at the server's container as well, and stops as soon as waiting is pointless. It then
    shows the state, the exit code and the last lines of the log.
  - It also stops at once when the server refuses the key, or the options cannot be used.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.action_group
  - toolserve.gpunode.endpoint
attributes:
  action:
    support: full
    description: Whether it has an action plugin on the controller.
    details:
      - The loop runs on the controller, each look runs on the target.
  check_mode:
    support: full
    details:
      - Looks once and does not wait. An endpoint that is not ready makes the task skipped.
  diff_mode:
    support: N/A
    details:
      - This never changes anything, so that there is nothing to show.
  idempotent:
    support: full
    details:
      - This never changes anything.
options:
  timeout:
    description:
      - How long to wait at most, in seconds.
    type: float
    default: 900.0
  interval:
    description:
      - How long to wait between two looks, in seconds.
    type: float
    default: 5.0
  container:
    description:
      - Name of the Docker container in which the server runs on the target.
      - When it is missing, has ended, or has been restarted since the wait began, waiting stops.
      - Needs the C(docker) command on the target, and the right to use it.
    type: str
notes:
  - Needs Python 3.10 or later on the target, and nothing else.
seealso:
  - module: toolserve.gpunode.endpoint_info
  - module: toolserve.gpunode.tool_call_check
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Wait until the model is served
  toolserve.gpunode.wait_for_endpoint:
    base_url: http://127.0.0.1:8000/v1
    api_key: "{{ vault_vllm_api_key }}"
    container: vllm
    timeout: 1800
"""

RETURN = r"""
seconds:
  description: How long it took.
  type: float
  returned: always
  sample: 41.7
version:
  description: The version of vLLM; V(null) where the server does not tell one.
  type: str
  returned: when the endpoint is ready
  sample: 0.32.0
models:
  description: The models that are served, as M(toolserve.gpunode.endpoint_info) returns them.
  type: list
  elements: dict
  returned: when the endpoint is ready
last_error:
  description: What stood in the way at the last look.
  type: str
  returned: when the endpoint is not ready
  sample: connection refused
container:
  description: What became of the container.
  type: dict
  returned: when O(container) is given and waiting failed
  contains:
    state:
      description: Its state as Docker calls it, or V(missing).
      type: str
      returned: always
      sample: exited
    exit_code:
      description: With what it ended.
      type: int
      returned: when it exists
    restarts:
      description: How often Docker has restarted it.
      type: int
      returned: when it exists
    log:
      description: The last lines of its log, without the key.
      type: list
      elements: str
      returned: when it exists
"""
