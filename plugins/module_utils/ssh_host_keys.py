# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host keys of SSH servers, and whether a server shows the ones that it should.

Fingerprints are compared without regard to how they are written: SHA-256 as OpenSSH prints it, with or without its
prefix, or MD5 with colons. Robot tells SHA-256 without a prefix.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_KIND = re.compile(r"(ssh-(rsa|ed25519|dss)|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9-]+@openssh\.com)")
_MD5 = re.compile(r"([0-9a-f]{2}:){15}[0-9a-f]{2}")
_SHA256 = re.compile(r"[A-Za-z0-9+/]{43}")


@dataclass(frozen=True)
class HostKey:
    """A public key.

    :ivar kind: its type, such as ``ssh-ed25519``.
    :ivar data: the key itself, in base64.
    """

    kind: str
    data: str

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256(base64.b64decode(self.data)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def md5(self) -> str:
        """As Robot names the keys that are deposited in it."""
        digest = hashlib.md5(base64.b64decode(self.data), usedforsecurity=False).hexdigest()
        return ":".join(re.findall("..", digest))

    @property
    def text(self) -> str:
        return f"{self.kind} {self.data}"

    @property
    def shown(self) -> str:
        return f"{self.kind} {self.sha256}"


def read(text: str) -> list[HostKey]:
    """The keys in the output of ssh-keyscan, in lines of known_hosts or in files of public keys; each once, other
    lines skipped.
    """
    found = []
    for line in text.splitlines():
        words = [] if line.startswith("#") else line.split()
        for kind, data in itertools.pairwise(words):
            if _KIND.fullmatch(kind) and _is_base64(data):
                found.append(HostKey(kind, data))
                break
    return list(dict.fromkeys(found))


def judge(scanned: str, expected: Sequence[str], previous: Sequence[str] = ()) -> dict[str, Any]:
    """What a server shows, held against what it should show.

    :param scanned: the output of ssh-keyscan.
    :param expected: fingerprints of the keys that it should show.
    :param previous: fingerprints of the keys that it showed before; it may still show them while it goes down.
    :return: ``state``: ``none`` where nothing answered, ``expected``, ``previous`` or ``other``; ``keys``: those whose
        fingerprints are expected, as OpenSSH writes them; ``seen``: type and fingerprint of each key that was shown.
    """
    shown = read(scanned)
    right = [key for key in shown if _one_of(key, expected)]
    if right:
        state = "expected"
    elif any(_one_of(key, previous) for key in shown):
        state = "previous"
    else:
        state = "other" if shown else "none"
    return {"state": state, "keys": [key.text for key in right], "seen": [key.shown for key in shown]}


def texts(text: str) -> list[str]:
    """The keys in a text, as OpenSSH writes them."""
    return [key.text for key in read(text)]


def fingerprints(text: str) -> list[str]:
    """The SHA-256 fingerprints of the keys in a text."""
    return [key.sha256 for key in read(text)]


def public_keys(texts: Iterable[str]) -> list[dict[str, str]]:
    """Public keys of people, each with the fingerprint by which Robot knows it and a name for it: its comment, if it
    has one.
    """
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        for key in read(text):
            comment = text.partition(key.data)[2].strip()
            found.setdefault(
                key.md5, {"fingerprint": key.md5, "text": key.text, "name": comment or f"{key.kind} {key.md5[:8]}"}
            )
    return list(found.values())


def fingerprint_problems(given: Iterable[str]) -> list[str]:
    """What is wrong with fingerprints that a person has typed."""
    return [
        f"{each!r} is no fingerprint of an SSH key. OpenSSH writes it as SHA256:… with 43 characters, or with MD5 "
        "as 16 pairs of hexadecimal digits with colons between them."
        for each in given
        if not _SHA256.fullmatch(_plain(each)) and not _MD5.fullmatch(_plain(each))
    ]


def of_rescue_system(answer: Mapping[str, Any]) -> list[str]:
    """The fingerprints that Robot tells of a rescue system, from ``/boot/N/rescue`` or ``/boot/N/rescue/last``; none
    before it runs.
    """
    rescue = answer.get("rescue") or {}
    found = []
    for entry in rescue.get("host_key") or []:
        key = entry.get("key", entry) if isinstance(entry, Mapping) else entry
        found.append(str(key["fingerprint"] if isinstance(key, Mapping) else key))
    return found


def _one_of(key: HostKey, fingerprints: Iterable[str]) -> bool:
    return not {_plain(key.sha256), key.md5}.isdisjoint(_plain(each) for each in fingerprints)


def _plain(fingerprint: str) -> str:
    """Without prefix and padding; the digits of MD5 in lower case, where SHA-256 has both cases."""
    plain = re.sub(r"^(SHA256|MD5):", "", fingerprint.strip(), flags=re.IGNORECASE).rstrip("=")
    return plain.lower() if ":" in plain else plain


def _is_base64(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) > 0
    except binascii.Error:
        return False
