# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flat, signed apt repository: the packages of a folder, Packages, Release and InRelease."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from ..console import BenchError
from .deb import write
from .payload import contents
from .relations import Package, stanza


class Key:
    """A key pair that signs; it lives as long as the keyring that it was made in."""

    def __init__(self, home: Path, name: str) -> None:
        self._home = home
        user = f"{name} of the test bench <{name.replace(' ', '-')}@localhost>"
        self._gpg("--quick-generate-key", user, "rsa3072", "sign", "never")
        listing = self._gpg("--list-keys", "--with-colons", f"={user}").decode()
        fingerprints = [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]
        self.fingerprint = fingerprints[0]

    def public(self) -> bytes:
        return self._gpg("--armor", "--export", self.fingerprint)

    def clearsigned(self, text: bytes) -> bytes:
        return self._gpg("--local-user", self.fingerprint, "--clearsign", text=text)

    def detached(self, text: bytes) -> bytes:
        return self._gpg("--local-user", self.fingerprint, "--armor", "--detach-sign", text=text)

    def _gpg(self, *arguments: str, text: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self._home), "--batch", "--quiet", "--passphrase", "", *arguments]
        result = subprocess.run(command, input=text, capture_output=True, check=False)
        if result.returncode != 0:
            raise BenchError(f"{' '.join(command)} failed:\n{result.stderr.decode()}")
        return result.stdout


@contextmanager
def keyring() -> Iterator[Path]:
    """A home for GnuPG that is gone afterwards, and its agent with it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            yield Path(folder)
        finally:
            subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)


def write_repository(folder: Path, packages: list[Package], key: Key, origin: str, label: str) -> None:
    """Write the packages and the signed index of a repository that is addressed as ``deb <address> /``."""
    folder.mkdir(parents=True, exist_ok=True)
    index = "\n".join(stanza(_with_archive_fields(folder, package)) for package in packages).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Packages.gz").write_bytes(gzip.compress(index, mtime=0))
    release = _release(folder, origin, label)
    (folder / "Release").write_bytes(release)
    (folder / "Release.gpg").write_bytes(key.detached(release))
    (folder / "InRelease").write_bytes(key.clearsigned(release))


def _with_archive_fields(folder: Path, package: Package) -> dict[str, str]:
    path = folder / package.file_name
    write(path, stanza(package.fields), contents(package))
    data = path.read_bytes()
    archive = {"Filename": f"./{path.name}", "Size": str(len(data)), "SHA256": hashlib.sha256(data).hexdigest()}
    return {**package.fields, **archive}


def _release(folder: Path, origin: str, label: str) -> bytes:
    """As NVIDIA's: origin and label, neither suite nor code name."""
    lines = [
        f"Origin: {origin}",
        f"Label: {label}",
        f"Date: {formatdate(usegmt=True)}",
        "Acquire-By-Hash: no",
        "SHA256:",
    ]
    for name in ("Packages", "Packages.gz"):
        data = (folder / name).read_bytes()
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
    return ("\n".join(lines) + "\n").encode()
