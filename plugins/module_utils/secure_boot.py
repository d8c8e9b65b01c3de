# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the firmware refuses kernel modules that nobody has signed."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.toolserve.gpunode.plugins.module_utils.command import Ask
from ansible_collections.toolserve.gpunode.plugins.module_utils.node_files import read_text

_VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_ON = 1

# Where DKMS is told of another certificate, else that of its own, on Ubuntu that of shim.
_DKMS_SETTINGS = ("etc/dkms/framework.conf", "etc/dkms/framework.conf.d/*.conf")
_CERTIFICATE = re.compile(r"^\s*mok_certificate=[\"']?(?P<path>/[^\"'\s$]+)", re.MULTILINE)
_OF_SHIM, _OF_DKMS = "/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub"
_ENROLLED = "is already enrolled"


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


def key_enrolled(root: Path, distribution: str, ask: Ask) -> bool:
    """Whether the firmware knows the key that DKMS signs modules with; a key that DKMS has yet to make is unknown.

    :param distribution: the ID of os-release.
    """
    certificate = _certificate(root, distribution)
    # By its words: its exit code is 1 for an enrolled key, and 1 for an error.
    return certificate is not None and _ENROLLED in ask(("mokutil", "--test-key", certificate))


def _certificate(root: Path, distribution: str) -> str | None:
    settings = [read_text(path) or "" for pattern in _DKMS_SETTINGS for path in sorted(root.glob(pattern))]
    chosen = [found["path"] for text in settings for found in _CERTIFICATE.finditer(text)]
    usual = [_OF_SHIM, _OF_DKMS] if distribution == "ubuntu" else [_OF_DKMS]
    places = chosen[-1:] or usual  # a later file wins
    return next((path for path in places if (root / path.lstrip("/")).is_file()), None)
