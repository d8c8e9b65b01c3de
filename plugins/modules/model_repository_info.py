#!/usr/bin/python
# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_repository_info
short_description: Ask the model hub what a revision of a model consists of
version_added: 0.1.0
description:
  - Asks the Hugging Face hub, or a mirror of it, for the commit behind a revision and the files that a server needs,
    with their sizes and checksums. Nothing is downloaded.
  - When the hub does not give the model, it says why in RV(problem), with what to do. A repository that does not exist,
    a revision that does not exist, a licence that has not been accepted, a token that is unknown and a hub that is out
    of reach each have a message of their own. That is a result, not a failure.
extends_documentation_fragment:
  - toolserve.gpunode.attributes
  - toolserve.gpunode.attributes.read_only
  - toolserve.gpunode.attributes.standard_library
options:
  repository:
    description: The repository, as C(owner/model).
    type: str
    required: true
  revision:
    description: A commit, a branch or a tag.
    type: str
    default: main
  endpoint:
    description: The hub, or a mirror of it.
    type: str
    default: https://huggingface.co
  token:
    description: A token that may read, for models behind a licence.
    type: str
  include:
    description: Patterns of the files that are wanted, as of C(fnmatch); their C(*) takes slashes too.
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: Patterns of those among them that are not wanted.
    type: list
    elements: str
    default: []
  timeout:
    description: How long to wait for an answer, in seconds.
    type: int
    default: 20
seealso:
  - module: toolserve.gpunode.model_weights_info
author:
  - toolserve.gpunode authors (@toolserve)
"""

EXAMPLES = r"""
---
- name: See what a download would fetch
  toolserve.gpunode.model_repository_info:
    repository: Qwen/Qwen2.5-14B-Instruct-AWQ
    include: ["*.safetensors", "*.json"]
  register: model

- name: Show it
  ansible.builtin.debug:
    msg: "{{ model.listing.commit }}: {{ model.listing.bytes }} bytes"
"""

RETURN = r"""
problem:
  description: Why the hub does not give it, and what to do; empty when it does.
  type: str
  returned: always
listing:
  description: What the revision consists of.
  type: dict
  returned: when RV(problem) is empty
  contains:
    commit:
      description: The commit behind the revision.
      type: str
      returned: always
      sample: 539535859b135b0244c91f3e59816150c8056698
    gated:
      description: Whether it is behind a licence.
      type: bool
      returned: always
    bytes:
      description: The size of all files together.
      type: int
      returned: always
    files:
      description: The files that are wanted.
      type: list
      elements: dict
      returned: always
      contains:
        path:
          description: Where it is in the repository.
          type: str
          returned: always
        size:
          description: Its size in bytes.
          type: int
          returned: always
        sha256:
          description: Its checksum; empty for small files outside of the large file storage.
          type: str
          returned: always
"""

import json
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.toolserve.gpunode.plugins.module_utils import model_repository
from ansible_collections.toolserve.gpunode.plugins.module_utils.model_repository import Listing


class _Refused(Exception):
    """The message says why, and what to do."""


def _ask(url: str, options: dict[str, Any]) -> bytes:
    token = options["token"]
    try:
        answer = open_url(
            url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=options["timeout"],
            http_agent="toolserve.gpunode",
        )
        content: bytes = answer.read()
        return content
    except HTTPError as error:
        code = error.headers.get("X-Error-Code") or ""
        raise _Refused(
            model_repository.refusal(
                error.code, code, options["repository"], options["revision"], options["endpoint"], bool(token)
            )
        ) from error
    except Exception as error:  # open_url lets through what each layer of it raises
        raise _Refused(model_repository.unreachable(options["endpoint"], str(error))) from error


def _listing(options: dict[str, Any]) -> Listing:
    repository, endpoint = options["repository"], options["endpoint"]
    content = _ask(model_repository.listing_url(endpoint, repository, options["revision"]), options)
    try:
        found = model_repository.listing(json.loads(content), options["include"], options["exclude"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Refused(
            f"{endpoint} does not answer as a model hub does: {error}. Correct model_weights_hub_url; a proxy may also "
            "have answered in its place."
        ) from error
    if reason := model_repository.without_weights(found, repository):
        raise _Refused(reason)
    if found.gated:
        _ask(model_repository.access_url(endpoint, repository), options)
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "revision": {"type": "str", "default": "main"},
            "endpoint": {"type": "str", "default": "https://huggingface.co"},
            "token": {"type": "str", "no_log": True},
            "include": {"type": "list", "elements": "str", "default": ["*"]},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, problem="", listing=_listing(module.params).as_dict())
    except _Refused as refused:
        module.exit_json(changed=False, problem=str(refused))


if __name__ == "__main__":
    main()
