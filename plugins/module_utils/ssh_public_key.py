# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public keys of OpenSSH, one on each line: RFC 4253, section 6.6, and AUTHORIZED_KEYS FILE FORMAT of ``man sshd``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


def looks_like_key(entry: str) -> bool:
    """Whether this is the text of a key and not the path of a file."""
    return entry.lstrip().startswith(("ssh-", "ecdsa-", "sk-", "-----BEGIN "))


def keys_of(text: str) -> list[str]:
    """The lines that hold keys."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def problems(text: str, name: str) -> Iterator[str]:
    """What is wrong with a text that should hold public keys; nothing of it is repeated, as it may be a private key.

    :param name: how to call the text.
    """
    if "PRIVATE KEY" in text:
        yield f"{name} is a private key. Name the public one, which ends with .pub, and keep this one to yourself."
        return
    lines = keys_of(text)
    if not lines:
        yield f"{name} holds no key."
    for number, line in enumerate(lines, 1):
        wrong = _wrong(line)
        if wrong:
            yield f"{name}: {wrong}" if len(lines) == 1 else f"{name}, key {number}: {wrong}"


def _wrong(line: str) -> str:
    kind, _blank, rest = line.partition(" ")
    if kind == "ssh-dss":
        return "DSA keys are no longer taken by SSH servers. Make another one: ssh-keygen -t ed25519."
    if kind not in TYPES:
        return f"it begins with no type of key ({', '.join(TYPES[:2])}, …), which options before it may not replace."
    blob = (rest.split() or [""])[0]
    try:
        decoded = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return "what stands behind its type is no key. Probably it was cut off when it was copied."
    length = int.from_bytes(decoded[:4], "big")
    if decoded[4 : 4 + length] != kind.encode() or not _complete(decoded):
        return f"it is no complete key of the type {kind}. Probably it was cut off when it was copied."
    return ""


def _complete(blob: bytes) -> bool:
    """Whether the blob ends where the last of its fields does, and has more than its type."""
    fields, position = 0, 0
    while position + 4 <= len(blob):
        position += 4 + int.from_bytes(blob[position : position + 4], "big")
        fields += 1
    return position == len(blob) and fields > 1
