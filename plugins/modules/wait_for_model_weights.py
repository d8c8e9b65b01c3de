#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for_model_weights
short_description: Wait until a model has been downloaded in the background
version_added: 0.1.0
description:
  - Looks again and again until the download is complete and checked, and prints how far it is.
  - It stops at once when the download has failed for good or has ended without a result, and when nothing has arrived
    for O(stall_timeout) seconds. How long the download takes in all does not matter.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.standard_library
attributes:
  action:
    support: full
    description: Whether it has an action plugin on the controller.
    details:
      - The loop runs on the controller, each look runs on the target.
  check_mode:
    support: full
    details:
      - Looks once and does not wait. A download that is not complete makes the task skipped.
  diff_mode:
    support: N/A
    details:
      - This never changes anything, so that there is nothing to show.
  idempotent:
    support: full
    details:
      - This never changes anything.
options:
  path:
    description: The folder into which it is downloaded.
    type: path
    required: true
  unit:
    description: The unit of systemd that downloads.
    type: str
    required: true
  notes:
    description: The file in which it notes how far it is.
    type: path
    required: true
  stall_timeout:
    description: For how many seconds nothing may arrive.
    type: float
    default: 600.0
  interval:
    description: How long to wait between two looks, in seconds.
    type: float
    default: 5.0
  report_interval:
    description: After how many seconds a line of progress is printed.
    type: float
    default: 15.0
seealso:
  - module: toolserve.gpunode.model_weights_info
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Wait for the weights
  toolserve.gpunode.wait_for_model_weights:
    path: /var/lib/gpunode/models/Qwen--Qwen2.5-14B-Instruct-AWQ/539535859b135b0244c91f3e59816150c8056698
    unit: gpunode-weights-Qwen--Qwen2.5-14B-Instruct-AWQ-53953585.service
    notes: /run/gpunode-model-weights/Qwen--Qwen2.5-14B-Instruct-AWQ-53953585.state
"""

RETURN = r"""
seconds:
  description: How long it waited.
  type: float
  returned: always
  sample: 212.4
present_bytes:
  description: How much of the model is there.
  type: int
  returned: always
download:
  description: What M(toolserve.gpunode.model_weights_info) saw last.
  type: dict
  returned: always
"""
