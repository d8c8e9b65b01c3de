# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether another process is changing packages at this moment, such as unattended-upgrades."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

# apt holds the first for all of its work, dpkg the second for its own.
_LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock")
# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


def holder(root: Path) -> int | None:
    """The process that holds a lock of dpkg; null for none. Nothing is locked by asking.

    It is 0 for a process of another PID namespace.
    """
    for name in _LOCKS:
        try:
            descriptor = os.open(root / name, os.O_RDONLY)
        except OSError:
            continue
        try:
            wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _whence, _start, _length, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, wanted))
        finally:
            os.close(descriptor)
        if kind != fcntl.F_UNLCK:
            return int(pid)
    return None
