# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the bench: each is named by the content of what it is made from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from . import CACHE, LABEL
from .console import BenchError, Ticker, step

HERE = Path(__file__).parent


def tag(kind: str, base: str, client: docker.DockerClient) -> str:
    """Twelve hex digits that change whenever the image's inputs do."""
    digest = hashlib.sha256(str(client.images.get(base).id).encode())
    for path in sorted((HERE / kind).iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def present(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def build(client: docker.DockerClient, name: str, context: Path, base: str, minutes: int) -> None:
    """Build an image and show what the engine is doing.

    :raises BenchError: the build failed; the message ends with the engine's last lines.
    """
    ticker = Ticker()
    tail: list[str] = []
    with step(f"Building {name} (about {minutes} min)"):
        events = client.api.build(
            path=str(context),
            tag=name,
            buildargs={"BASE": base},
            labels={LABEL: "1"},
            rm=True,
            forcerm=True,
            decode=True,
        )
        for event in events:
            text = event.get("stream") or event.get("status") or ""
            if text.strip():
                tail = [*tail[-14:], text.rstrip()]
                ticker.tell(text)
            if "error" in event:
                raise BenchError(f"Building {name} failed: {event['error']}\n" + "\n".join(tail))
    client.images.prune(filters={"dangling": True, "label": LABEL})


def archive(client: docker.DockerClient, name: str, title: str) -> Path:
    """The image as a tar file of the cache, for nodes that have no registry to pull from.

    :param title: the name without its ending: a kind, a hyphen and a digest; other digests of the kind are removed.
    """
    path = CACHE / f"{title}.tar"
    if path.exists():
        return path
    for old in CACHE.glob(f"{title.rpartition('-')[0]}-*.tar*"):
        old.unlink()
    partial = path.with_suffix(".tar.part")
    ticker, written = Ticker(), 0
    with step(f"Saving {name} as an archive for nodes"):
        with partial.open("wb") as output:
            for chunk in client.images.get(name).save(named=True):
                written += output.write(chunk)
                ticker.tell(f"{written / 1e9:.1f} GB")
        partial.rename(path)
    return path


def remove_all(client: docker.DockerClient) -> list[str]:
    """Remove every image that the bench has built; returns their names."""
    removed = []
    for image in client.images.list(filters={"label": LABEL}):
        client.images.remove(str(image.id), force=True)
        removed.extend(image.tags)
    return removed
