# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A document that its owner edits too: replaced in one step, with a copy of what was there."""

from __future__ import annotations

import os
import tempfile
from typing import Any


def replace(module: Any, target: str, text: str, exists: bool) -> dict[str, str]:
    """Write the text and keep owner and mode of a file that is there; a new one can be read by all.

    :param module: the AnsibleModule, whose temporary folder, copies and moves are used.
    :param target: the file itself, not a link to it.
    :returns: ``backup_file`` where there was a file, for the module's result.
    """
    descriptor, temporary = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8"))
    result = {}
    if exists:
        result["backup_file"] = module.backup_local(target)
    else:
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    module.atomic_move(temporary, target)
    if not exists:
        os.chmod(target, 0o644)
    return result
