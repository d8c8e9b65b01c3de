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
  - Asks an endpoint for its health, its version and the models it serves, without generating anything.
  - An endpoint that cannot be reached is a result, not a failure, unless O(require_reachable=true).
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
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
notes:
  - Needs Python 3.10 or later on the target, and nothing else.
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import ENDPOINT_OPTIONS, client_for
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import look


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
        state = look(client_for(module.params, timeout=module.params["timeout"]))
    except EndpointError as error:
        module.fail_json(msg=str(error), error=error.as_dict())
    if module.params["require_reachable"] and not state.reachable:
        module.fail_json(msg=str(state.error), **state.as_dict())
    module.exit_json(changed=False, **state.as_dict())


if __name__ == "__main__":
    main()
