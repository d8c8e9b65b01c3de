# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: profile
author: toolserve.gpunode authors (@toolserve)
version_added: 0.1.0
short_description: Read and check a model profile
description:
  - Returns one model profile as a dictionary, checked against C(profiles/schema.json) of this collection.
  - A profile with C(family) is laid over the file of that name in C(profiles/families/), which holds what the sizes of
    a model family share.
  - Everything that the roles do with a model follows from this dictionary.
options:
  _terms:
    description:
      - The name of a profile of this collection (a file of C(profiles/) without C(.yml)), or the path of a file of
        your own (anything with a slash in it).
    type: list
    elements: str
    required: true
  overrides:
    description:
      - Settings that are laid over the file, mapping by mapping, before it is checked.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show how a model is served
  ansible.builtin.debug:
    msg: "{{ lookup('toolserve.gpunode.profile', 'qwen2.5-14b-instruct-awq') }}"

- name: The same model with a smaller context
  ansible.builtin.debug:
    msg: "{{ lookup('toolserve.gpunode.profile', 'pocket', overrides={'context': {'maximum': 1024}}) }}"
"""

RETURN = r"""
_raw:
  description: The profiles, in the order of the names.
  type: list
  elements: dict
"""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible_collections.toolserve.gpunode.plugins.module_utils.profile import (
    ProfileError,
    checked,
    merged,
    of_family,
)

_FOLDER = Path(__file__).parents[2] / "profiles"


def _loaded(path: Path) -> Any:
    return DataLoader().load_from_file(str(path), cache="none", unsafe=True)


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        schema = json.loads((_FOLDER / "schema.json").read_text(encoding="utf-8"))
        return [self._read(str(term), schema) for term in terms]

    def _read(self, term: str, schema: dict[str, Any]) -> dict[str, Any]:
        path = self._path(term)
        content = _loaded(path)
        try:
            if not isinstance(content, dict):
                return checked(content, schema, term)
            profile = of_family({"name": path.stem, **content}, self._family(content, term))
            profile = merged(profile, self.get_option("overrides"))
            return checked(profile, schema, term)
        except ProfileError as error:
            raise AnsibleError(str(error)) from error

    def _family(self, content: dict[str, Any], term: str) -> dict[str, Any]:
        """What a profile shares with the other sizes of its family; also for a file of the user's own."""
        name = content.get("family")
        if name is None:
            return {}
        known = sorted(file.stem for file in (_FOLDER / "families").glob("*.yml"))
        if name not in known:
            raise AnsibleError(
                f"The profile {term} is of the family {name!r}, which does not exist. Correct it, or leave it out. "
                f"There are: {', '.join(known)}."
            )
        family: dict[str, Any] = _loaded(_FOLDER / "families" / f"{name}.yml")
        return family

    def _path(self, term: str) -> Path:
        if "/" in term:
            path = Path(term).expanduser()
            if not path.is_file():
                raise AnsibleError(
                    f"The profile {term} does not exist: the path leads to no file. Correct gpunode_profile."
                )
            return path
        path = _FOLDER / f"{term}.yml"
        if not path.is_file():
            known = sorted(file.stem for file in _FOLDER.glob("*.yml"))
            close = get_close_matches(term, known, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise AnsibleError(
                f"There is no profile named {term!r}. {hint}Set gpunode_profile to one of: {', '.join(known)}; "
                "or to the path of a file of your own (with a slash in it)."
            )
        return path
