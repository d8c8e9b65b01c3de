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
  - Asks the endpoint again and again until it is healthy and lists at least one model. It prints a line when something
    has changed, and otherwise every O(report_interval) seconds, so that nobody has to guess whether anything happens.
  - With O(container) it reads the log of vLLM's container as well. The lines then tell how far the start has come, such
    as V(loading weights, 33 %), and waiting stops as soon as it is pointless. It then says why the server died, what to
    do about it, and shows the last lines of the log.
  - It also stops at once when the server refuses the key, or the options cannot be used.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.standard_library
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
  report_interval:
    description:
      - After how many seconds a progress line is printed even if nothing has changed.
    type: float
    default: 30.0
  container:
    description:
      - Name of the Docker container in which the server runs on the target.
      - When it is missing, has ended, or has been restarted since the wait began, waiting stops.
      - Needs the C(docker) command on the target, and the right to use it.
    type: str
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
  register: endpoint

- name: Show what the start took
  ansible.builtin.debug:
    var: endpoint.phases
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
phases:
  description:
    - What the start of the server consisted of, as its log tells, and how long each took.
    - Empty when the log does not reach back to the start.
  type: list
  elements: dict
  returned: when O(container) is given and its log can be read
  contains:
    phase:
      description:
        - One of V(pulling the image), V(starting), V(loading weights), V(compiling), V(capturing CUDA graphs),
          V(warming up).
      type: str
      returned: always
    seconds:
      description: How long it took.
      type: float
      returned: always
  sample:
    - phase: starting
      seconds: 19.2
    - phase: loading weights
      seconds: 31.4
    - phase: warming up
      seconds: 3.6
log_facts:
  description:
    - What the server says in its log about what it has chosen. What it does not say is V(null) or empty.
  type: dict
  returned: when the endpoint is ready, O(container) is given and its log can be read
  contains:
    version:
      description: The version of vLLM.
      type: str
      returned: always
    device:
      description: What it computes on, such as V(cuda) or V(cpu).
      type: str
      returned: always
    kv_cache_tokens:
      description: How many tokens the KV cache holds.
      type: int
      returned: always
    max_concurrency:
      description: How many requests of the full context that is.
      type: float
      returned: always
    weights_gib:
      description: What the weights take, in GiB.
      type: float
      returned: always
    attention_backend:
      description: The implementation of attention.
      type: str
      returned: always
    enforce_eager:
      description: Whether torch.compile and CUDA graphs are off, which is slow.
      type: bool
      returned: always
    auto_tool_choice:
      description: Whether tool calls are enabled.
      type: bool
      returned: always
    tool_call_parser:
      description: The tool call parser.
      type: str
      returned: always
    chat_template_format:
      description: The format of message content that the chat template wants, V(string) or V(openai).
      type: str
      returned: always
    quantization_kernels:
      description: The lines that name the kernels for quantised weights.
      type: list
      elements: str
      returned: always
    slow_kernels:
      description: The lines that tell of slow kernels.
      type: list
      elements: str
      returned: always
    arguments:
      description: What the server was started with beyond its defaults, without secrets.
      type: dict
      returned: always
phase:
  description: How far the start had come.
  type: str
  returned: when O(container) is given, exists and waiting failed
  sample: loading weights, 33 %
causes:
  description: Why the server died, the best explanation first.
  type: list
  elements: dict
  returned: when O(container) is given, exists and waiting failed
  contains:
    symptom:
      description: What was seen, mostly a line of the log.
      type: str
      returned: always
    cause:
      description: What that means.
      type: str
      returned: always
    fix:
      description: What to do.
      type: str
      returned: always
    confidence:
      description: V(certain), V(likely) or V(possible).
      type: str
      returned: always
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
      description: With what it ended; V(null) while it runs.
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
