# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: profile_problems
author: toolserve.gpunode authors (@toolserve)
version_added: 0.1.0
short_description: Tell why model profiles cannot be used
description:
  - Reads profiles as P(toolserve.gpunode.profile#lookup) does, and returns what it would fail with.
  - For a check that tells several problems at once. Use it with C(query), for the list may be empty.
options:
  _terms:
    description: Names of profiles of this collection, or paths of files of your own.
    type: list
    elements: str
    required: true
  overrides:
    description: Settings that are laid over each file before it is checked.
    type: dict
    default: {}
seealso:
  - plugin: toolserve.gpunode.profile
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Show what is wrong with a profile of mine
  ansible.builtin.debug:
    msg: "{{ query('toolserve.gpunode.profile_problems', './my-model.yml') }}"
"""

RETURN = r"""
_raw:
  description: What is wrong with each profile that cannot be used. Empty when all can.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        profile = lookup_loader.get("toolserve.gpunode.profile", loader=self._loader, templar=self._templar)
        problems = []
        for term in terms:
            try:
                profile.run([term], variables, **kwargs)
            except AnsibleError as error:
                problems.append(str(error))
        return problems
