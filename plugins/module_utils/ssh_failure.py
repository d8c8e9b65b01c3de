# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why OpenSSH's client gave no connection, from what it printed (sshconnect.c of OpenSSH 8.9 to 10.0)."""

from __future__ import annotations

CHANGED_KEY = "changed_key"
UNKNOWN_KEY = "unknown_key"
LOGIN = "login"
UNREACHABLE = "unreachable"

_SIGNS = (
    (CHANGED_KEY, ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key for ", "REVOKED HOST KEY DETECTED")),
    (UNKNOWN_KEY, ("Host key verification failed", "host key is known for", "No matching host key type found")),
    (LOGIN, ("Permission denied", "Too many authentication failures", "Invalid/incorrect password", "passphrase")),
)


def reason(printed: str) -> str:
    """One of the constants above; a key is changed where known_hosts has another, and unknown where it has none."""
    for name, signs in _SIGNS:
        if any(sign in printed for sign in signs):
            return name
    return UNREACHABLE
