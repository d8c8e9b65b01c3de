#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: client_config_check
short_description: Find what will break in the file of an agent
version_added: 0.1.0
description:
  - Reads a user's C(opencode.json), asks the endpoint that it leads to what it serves, and lists what will break, each
    with its cause and its fix. Nothing is generated and nothing is changed.
  - Finds a limit that is missing, too long for the server or without room for the conversation, C(reasoning) for a
    model that does not reason, a name that is not served, C(http) in place of C(https) and the other way round, an
    address without C(/v1), a missing key and one in the file itself.
  - What it finds is a result. It fails where the file cannot be read at all, and with O(fail_on) as that says.
  - Whether tool calls arrive from this server is proven by M(toolserve.gpunode.tool_call_check).
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
options:
  path:
    description: The file. Comments in it are allowed, as OpenCode allows them.
    type: path
    required: true
  provider:
    description:
      - The name of the provider in the file.
      - By default the one that leads to O(base_url), or the first one with an address of its own.
    type: str
  base_url:
    description:
      - Address of the OpenAI-compatible API, as seen from the machine on which the file is used.
      - By default the address in the file.
    type: str
  api_key:
    description: The key that the server asks for. Without it the server may not tell what it serves.
    type: str
  validate_certs:
    description: Whether the server's certificate must be trusted.
    type: bool
    default: true
  ca_path:
    description: File or folder with the certificates (PEM) of the authorities to trust.
    type: path
  profile:
    description:
      - The profile of the served model, as the lookup P(toolserve.gpunode.profile#lookup) returns it. It tells whether
        the model reasons. Without it that is not judged.
    type: dict
  agent_prompt:
    description:
      - How many tokens the agent needs for itself in every request. OpenCode 1.18 sends 31 kB before the first word of
        its user.
    type: int
    default: 8000
  timeout:
    description: How long each request may take, in seconds.
    type: float
    default: 10.0
  fail_on:
    description:
      - The least confidence of a cause that makes the module fail.
      - V(never) returns the causes and lets the play decide.
    type: str
    choices: [never, certain, likely, possible]
    default: never
seealso:
  - module: toolserve.gpunode.tool_call_check
  - module: toolserve.gpunode.endpoint_info
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: Look at the file of the user who runs the play
  toolserve.gpunode.client_config_check:
    path: ~/.config/opencode/opencode.json
    api_key: "{{ lookup('ansible.builtin.env', 'VLLM_API_KEY') | default(omit, true) }}"
    profile: "{{ lookup('toolserve.gpunode.profile', 'qwen2.5-14b-instruct-awq') }}"
  delegate_to: localhost
  register: client

- name: Show what will break
  ansible.builtin.debug:
    msg: "{{ client.summary }}"
"""

RETURN = r"""
causes:
  description: What will break, the most certain first.
  type: list
  elements: dict
  returned: always
  contains:
    symptom:
      description: What the file says.
      type: str
      returned: always
    cause:
      description: What follows from that.
      type: str
      returned: always
    fix:
      description: What to write instead.
      type: str
      returned: always
    confidence:
      description: V(certain), V(likely) or V(possible).
      type: str
      returned: always
  sample:
    - symptom: provider.vllm.models.qwen.limit is missing
      cause: OpenCode then asks for 32000 tokens of answer, and the server holds 23232 for prompt and answer.
      fix: 'Add "limit": {"context": 21780, "output": 4096}.'
      confidence: certain
provider:
  description: The provider that was looked at; V(null) where the file has none.
  type: str
  returned: always
  sample: vllm
model:
  description: The model that was looked at, by its name in the file; V(null) where there is none.
  type: str
  returned: always
  sample: qwen
base_url:
  description: The address that answered, or was asked last; V(null) where there was none to ask.
  type: str
  returned: always
  sample: http://127.0.0.1:8000/v1
max_model_len:
  description: The server's context in tokens; V(null) where it does not tell.
  type: int
  returned: always
  sample: 23232
summary:
  description: The same for people, lines of at most 100 columns.
  type: str
  returned: always
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.module_utils import (
    cause_text,
    client_limits,
    client_rules_opencode,
    jsonc_document,
)
from ansible_collections.toolserve.gpunode.plugins.module_utils.cause import CERTAIN, LIKELY, POSSIBLE, Cause
from ansible_collections.toolserve.gpunode.plugins.module_utils.client_rules_opencode import Comparison
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_error import EndpointError
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_options import client_for
from ansible_collections.toolserve.gpunode.plugins.module_utils.endpoint_state import EndpointState, look
from ansible_collections.toolserve.gpunode.plugins.module_utils.json_document import DocumentError
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import reasons

_CONFIDENCE = (CERTAIN, LIKELY, POSSIBLE)
_OTHER_SCHEME = {"http": "https", "https": "http"}


class Check:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path: str = module.params["path"]

    def run(self) -> None:
        document = self.document()
        self.module.no_log_values |= jsonc_document.secrets(document)
        provider = client_rules_opencode.chosen(
            document, self.module.params["provider"], self.module.params["base_url"]
        )
        if provider is None:
            self.tell([self.no_provider()], None, None, None, None)
        state = self.look(self.module.params["base_url"] or provider.base_url)
        served = state.served if state else []
        comparison = Comparison(
            document,
            provider,
            client_rules_opencode.chosen_model(document, provider, served),
            state or EndpointState(provider.base_url),
            reasons(self.module.params["profile"]) if self.module.params["profile"] else None,
            self.module.params["agent_prompt"],
        )
        found = client_rules_opencode.causes(comparison)
        if state is not None and state.error is not None:
            found.insert(0, _not_answered(state.error))
        self.tell(found, provider.name, comparison.model, state and state.base_url, comparison.server)

    def document(self) -> dict[str, Any]:
        try:
            with open(os.path.realpath(self.path), "rb") as file:
                return jsonc_document.read(file.read())
        except OSError as error:
            self.module.fail_json(msg=f"{self.path} cannot be read: {error.strerror}. Name an opencode.json with path.")
        except DocumentError as error:
            self.module.fail_json(msg=f"{self.path}, {error} OpenCode cannot read it either.")

    def no_provider(self) -> Cause:
        wanted = self.module.params["provider"]
        return Cause(
            f"{self.path} has no provider{f' named {wanted}' if wanted else ''}",
            "OpenCode does not know the server from this file.",
            "Add it; the role toolserve.gpunode.clients writes it from what the server says.",
            CERTAIN,
        )

    def look(self, base_url: str) -> EndpointState | None:
        """What answers there, by the other scheme where nothing answers by this one; None without an address."""
        scheme, separator, rest = base_url.partition("://")
        if not separator:
            return None
        key = self.module.params["api_key"]
        state = self.asked(base_url, key)
        if state.reachable or scheme not in _OTHER_SCHEME:
            return state
        # The key does not go where it could be read on the way.
        other = self.asked(f"{_OTHER_SCHEME[scheme]}://{rest}", key if scheme == "http" else None)
        return other if other.reachable else state

    def asked(self, base_url: str, api_key: str | None) -> EndpointState:
        options = {**self.module.params, "base_url": base_url, "api_key": api_key}
        try:
            return look(client_for(options, timeout=self.module.params["timeout"]))
        except EndpointError as error:
            return EndpointState(base_url, error=error)

    def tell(
        self, found: list[Cause], provider: str | None, model: str | None, base_url: str | None, context: int | None
    ) -> None:
        causes = [cause.as_dict() for cause in found]
        summary = "\n".join(
            [f"{self.path}: {len(found) or 'nothing'} to correct" + (f" (model {model})" if model else "")]
            + [line for cause in causes for line in cause_text.terminal(cause)]
        )
        result = {
            "changed": False,
            "causes": causes,
            "provider": provider,
            "model": model,
            "base_url": base_url,
            "max_model_len": context,
            "summary": summary,
        }
        least = self.module.params["fail_on"]
        counts = [] if least == "never" else _CONFIDENCE[: _CONFIDENCE.index(least) + 1]
        if any(cause.confidence in counts for cause in found):
            self.module.fail_json(msg=summary, **result)
        self.module.exit_json(**result)


def _not_answered(error: EndpointError) -> Cause:
    return Cause(error.seen, error.means, error.fix, CERTAIN)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "provider": {"type": "str"},
            "base_url": {"type": "str"},
            "api_key": {"type": "str", "no_log": True},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "profile": {"type": "dict"},
            "agent_prompt": {"type": "int", "default": client_limits.AGENT_PROMPT},
            "timeout": {"type": "float", "default": 10.0},
            "fail_on": {"type": "str", "choices": ["never", *_CONFIDENCE], "default": "never"},
        },
        supports_check_mode=True,
    )
    Check(module).run()


if __name__ == "__main__":
    main()
