# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A text file that is written whole, and that tells by its first line whether somebody has changed it since."""

from __future__ import annotations

import hashlib
import re

_FIRST_LINE = "Written by toolserve.gpunode; what you change here is never overwritten. sha256:"
_SEAL = re.compile(rf".*{re.escape(_FIRST_LINE)}([0-9a-f]{{64}})")
NOBODY, OURS, THEIRS, THERE = "nobody's", "ours", "theirs", "there"


def sealed(content: str, comment: str) -> str:
    """The text with a first line that has the digest of all the others.

    :param comment: what begins a comment in this kind of file.
    """
    body = content if content.endswith("\n") else f"{content}\n"
    return f"{comment} {_FIRST_LINE}{_digest(body)}\n{body}"


def state(text: str | None, content: str) -> str:
    """Whose the file is: :data:`NOBODY` where there is none, :data:`OURS` as it was written or as it is to be written,
    :data:`THERE` where the owner's own file says what has to be said already, :data:`THEIRS` otherwise."""
    if text is None or not text.strip():
        return NOBODY
    first, _, body = text.partition("\n")
    seal = _SEAL.match(first)
    if seal is not None and seal[1] == _digest(body):
        return OURS
    return THERE if content.strip() in text else THEIRS


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8")).hexdigest()
