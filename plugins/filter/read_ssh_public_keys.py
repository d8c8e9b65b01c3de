# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils import ssh_public_key


def read_ssh_public_keys(entries: Sequence[str]) -> dict[str, list[str]]:
    keys: list[str] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        text, name = str(entry), f"Entry {number}"
        if not ssh_public_key.looks_like_key(text):
            name = text.strip()
            try:
                text = Path(name).expanduser().read_text(encoding="utf-8")
            except (OSError, ValueError, RuntimeError) as error:
                problems.append(f"{name} cannot be read on this machine ({getattr(error, 'strerror', None) or error}).")
                continue
        found = list(ssh_public_key.problems(text, name))
        problems += found
        if not found:
            keys += ssh_public_key.keys_of(text)
    return {"keys": list(dict.fromkeys(keys)), "problems": problems}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"read_ssh_public_keys": read_ssh_public_keys}
