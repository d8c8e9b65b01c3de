# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dpkg's own records as they would be without some packages, so that apt can say what it would do then."""

from __future__ import annotations

import re
from collections.abc import Collection

_FIELD = re.compile(r"^(?P<name>Package|Architecture): *(?P<value>\S+)", re.MULTILINE)


def without(status: str, names: Collection[str], native: str) -> str:
    """The content of ``/var/lib/dpkg/status`` less these packages.

    :param names: with their architecture behind a colon where that is not the machine's own.
    :param native: the machine's own architecture, as dpkg names it.
    """
    stanzas = (stanza for stanza in status.split("\n\n") if stanza.strip())
    return "".join(f"{stanza.strip()}\n\n" for stanza in stanzas if _specification(stanza, native) not in names)


def _specification(stanza: str, native: str) -> str:
    fields = {field["name"]: field["value"] for field in _FIELD.finditer(stanza)}
    name, architecture = fields.get("Package", ""), fields.get("Architecture", "")
    return name if architecture in (native, "all", "") else f"{name}:{architecture}"
