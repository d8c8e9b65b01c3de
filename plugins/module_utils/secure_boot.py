# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the firmware refuses kernel modules that nobody has signed."""

from __future__ import annotations

from pathlib import Path

_VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_ON = 1


def read(root: Path) -> bool | None:
    """From the last byte of the EFI variable; false on a machine without EFI, null where it cannot be read.

    The four bytes before it are the variable's attributes (UEFI specification, 8.2; Linux' efivarfs.rst).
    """
    if not (root / "sys/firmware/efi").exists():
        return False
    try:
        content = (root / _VARIABLE).read_bytes()
    except OSError:
        return None
    return content[-1] == _ON if content else None
