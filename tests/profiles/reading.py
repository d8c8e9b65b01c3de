# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading profiles as the lookup does, but without Ansible."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.toolserve.gpunode.plugins.module_utils import profile as _profile

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "profiles"
SCHEMA: dict[str, Any] = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def own(name: str) -> dict[str, Any]:
    """What its file says, without its family."""
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    return content


def family(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / "families" / f"{name}.yml").read_text(encoding="utf-8"))
    return content


def read(name: str) -> dict[str, Any]:
    """:raises ProfileError: it does not conform to the schema."""
    content = own(name)
    shared = family(content["family"]) if "family" in content else {}
    return _profile.checked({"name": name, **_profile.of_family(content, shared)}, SCHEMA, name)
