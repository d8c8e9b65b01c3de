# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of the inventory that no role reads, because their names are misspelt: Ansible takes any name in silence."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# vllm_image_notes may well be a user's own; gpunode_listen_adress is not.
_CLOSE = 0.9


def misspelt(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """The names that are almost, and not quite, the name of a setting, with that name."""
    settings = set(known)
    prefixes = {name.split("_", 1)[0] + "_" for name in settings}
    suspects = sorted(name for name in set(names) - settings if name.startswith(tuple(prefixes)))
    matches = {name: get_close_matches(name, settings, n=1, cutoff=_CLOSE) for name in suspects}
    # A longer name made of a setting's is another name.
    return {name: found[0] for name, found in matches.items() if found and not name.startswith(f"{found[0]}_")}
