#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Look at an OpenAI-compatible endpoint
version_added: 0.1.0
description:
  - Asks an endpoint for its health, its version, the models it serves and vLLM's own figures, without generating
    anything.
  - Says as well who can reach it, and warns when that is everybody.
  - An endpoint that cannot be reached is a result, not a failure, unless O(require_reachable=true).
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
  - toolserve.gpunode.attributes.action_group
  - toolserve.gpunode.endpoint
options:
  timeout:
    description:
      - How long each request may take, in seconds.
    type: float
    default: 10.0
  require_reachable:
    description:
      - Fail when nothing answers at O(base_url).
    type: bool
    default: false
seealso:
  - module: toolserve.gpunode.wait_for_endpoint
  - module: toolserve.gpunode.tool_call_check
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Look at the endpoint of this node
  toolserve.gpunode.endpoint_info:
  register: endpoint

- name: Show which models it serves
  ansible.builtin.debug:
    msg: "{{ endpoint.models | map(attribute='id') }}"

- name: Insist on an endpoint elsewhere
  toolserve.gpunode.endpoint_info:
    base_url: https://inference.example.com/v1
    api_key: "{{ vault_vllm_api_key }}"
    require_reachable: true
"""

RETURN = r"""
base_url:
  description: The address that was asked, always with V(/v1).
  type: str
  returned: always
  sample: http://127.0.0.1:8000/v1
reachable:
  description: Whether something answers HTTP there.
  type: bool
  returned: always
  sample: true
healthy:
  description:
    - Whether the server says that it is healthy.
    - A server without V(/health) counts as healthy when it lists its models.
  type: bool
  returned: always
  sample: true
version:
  description: The version of vLLM; V(null) where the server does not tell one.
  type: str
  returned: always
  sample: 0.32.0
models:
  description: The models that are served.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: The name under which the model is served.
      type: str
      returned: always
    root:
      description: The model behind the name; V(null) where the server does not tell.
      type: str
      returned: always
    max_model_len:
      description: The context in tokens; V(null) where the server does not tell.
      type: int
      returned: always
  sample:
    - id: qwen
      root: Qwen/Qwen2.5-14B-Instruct-AWQ
      max_model_len: 23232
auth_required:
  description: Whether the list of models needs a key; V(null) if that could not be found out.
  type: bool
  returned: always
  sample: false
metrics:
  description:
    - What vLLM tells at V(/metrics), over all engines of the server.
    - A figure that the server or its release does not show is V(null); other servers mostly show none of them.
  type: dict
  returned: always
  contains:
    kv_cache_tokens:
      description:
        - How many tokens the KV cache holds.
        - Up to vLLM 0.20 this is the number of blocks times their size, which is too simple for models that mix kinds
          of attention.
      type: int
      returned: always
    max_concurrency:
      description: How many requests of the full context the KV cache holds.
      type: float
      returned: always
    kv_cache_dtype:
      description: The data type of the KV cache; V(auto) is that of the model.
      type: str
      returned: always
    block_size:
      description: How many tokens a block of the KV cache holds.
      type: int
      returned: always
    gpu_blocks:
      description: How many blocks the KV cache has.
      type: int
      returned: always
    kv_cache_usage:
      description: How full the KV cache is, from 0 to 1.
      type: float
      returned: always
    requests_running:
      description: How many requests are being served at this moment.
      type: int
      returned: always
    requests_waiting:
      description: How many requests wait at this moment.
      type: int
      returned: always
    preemptions:
      description: How often a request had to give up its place in the KV cache since the start of the server.
      type: int
      returned: always
    prefix_cache_queries:
      description: How many tokens were looked up in the prefix cache since the start of the server.
      type: int
      returned: always
    prefix_cache_hits:
      description: How many of them were found there.
      type: int
      returned: always
    prompt_tokens:
      description: How many tokens of prompts were read since the start of the server.
      type: int
      returned: always
    generation_tokens:
      description: How many tokens were generated since the start of the server.
      type: int
      returned: always
exposure:
  description: Who can reach the endpoint. On a failed look at it, what its address alone tells.
  type: dict
  returned: always
  contains:
    scope:
      description:
        - V(local) when only the machine itself reaches it, else V(network).
        - When O(base_url) leads to the machine on which the module runs, the kernel's list of listeners decides.
      type: str
      returned: always
    listens_on:
      description: The addresses other than loopback on which the machine listens at this port.
      type: list
      elements: str
      returned: always
    open_to_all:
      description:
        - Whether the network reaches it and no key is asked for; V(null) if that could not be found out.
      type: bool
      returned: always
    warnings:
      description: What is wrong with that. The module gives these as its own warnings, too.
      type: list
      elements: str
      returned: always
  sample:
    scope: local
    listens_on: []
    open_to_all: false
    warnings: []
error:
  description: What stood in the way of the list of models; V(null) if nothing did.
  type: dict
  returned: always
  contains:
    kind:
      description: One of V(config), V(unreachable), V(timeout), V(tls), V(http), V(protocol).
      type: str
      returned: always
    status:
      description: The HTTP status, if there was one.
      type: int
      returned: always
    seen:
      description: What was seen, in a few words.
      type: str
      returned: always
    message:
      description: What was seen, what it means and what to do.
      type: str
      returned: always
    body:
      description: The beginning of the answer.
      type: str
      returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import endpoint_exposure, endpoint_metrics
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import ENDPOINT_OPTIONS, client_for
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState, look
from ansible_collections.toolserve.gpunode.plugins.module_utils.openai_client import OpenAIClient


def seen(client: OpenAIClient, state: EndpointState) -> dict[str, Any]:
    """What is told about an endpoint, whether it is there or not."""
    metrics = endpoint_metrics.EndpointMetrics()
    if state.reachable:
        context = state.models[0]["max_model_len"] if state.models else None
        metrics = endpoint_metrics.read(client, context)
    exposure = endpoint_exposure.look(state)
    return {**state.as_dict(), "metrics": metrics.as_dict(), "exposure": exposure.as_dict()}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ENDPOINT_OPTIONS,
            "timeout": {"type": "float", "default": 10.0},
            "require_reachable": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        client = client_for(module.params, timeout=module.params["timeout"])
        state = look(client)
    except EndpointError as error:
        module.fail_json(msg=str(error), error=error.as_dict())
    result = seen(client, state)
    for warning in result["exposure"]["warnings"]:
        module.warn(warning)
    if module.params["require_reachable"] and not state.reachable:
        module.fail_json(msg=str(state.error), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
