# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real vLLM with the pocket model on this machine's own engine: what the vllm role starts on a node, without the node.

It needs the collection to be importable, as tests/conftest.py makes it.
"""

from __future__ import annotations

import secrets
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from ansible.plugins.loader import lookup_loader
from ansible_collections.toolserve.gpunode.plugins.module_utils import serving
from docker.models.containers import Container

from . import LABEL, vllm_image
from .ansible import REPOSITORY
from .console import BenchError, step

_FILES = REPOSITORY / "roles/vllm/files"
# A model this small gains nothing from more threads, which on a busy machine only wait for each other.
_ONE_THREAD = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
# What the model says with its tools switched off is how these tests learn its words, so it has to see them.
_TOOLS_ALWAYS_SHOWN = {"exclude-tools-when-tool-choice-none": None}
_START_SECONDS = 600
_LOG_LINES = 80  # a failed start ends with two long stack traces, the cause above them


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    url: str  # of the OpenAI API, with its /v1
    api_key: str


@contextmanager
def serving_pocket_model(
    client: docker.DockerClient, command: Sequence[str] = (), folders: Mapping[Path, str] | None = None
) -> Iterator[Server]:
    """Serve the pocket model on a free port of 127.0.0.1 until the context is left.

    :param command: vLLM's command line, where it is not :func:`arguments`.
    :param folders: what the container sees besides the profile's own files, and where.
    :raises BenchError: the server ended, or did not answer in time; the message ends with its last log lines.
    """
    api_key = secrets.token_urlsafe(16)
    container = create(client, api_key, command, folders)
    with started(container, "the pocket model") as address:
        yield Server(f"{address}/v1", api_key)


def arguments() -> list[str]:
    """vLLM's command line for the profile `pocket`."""
    return _command().arguments


def _command() -> serving.Command:
    return serving.command(_profile(), vllm_image.RELEASE, _TOOLS_ALWAYS_SHOWN, local_model=True)


def create(
    client: docker.DockerClient,
    api_key: str,
    command: Sequence[str] = (),
    folders: Mapping[Path, str] | None = None,
) -> Container:
    """The container of such a server, not started."""
    profile = _profile()
    image, _archive = vllm_image.ensure(client)
    return client.containers.create(
        image,
        entrypoint=_command().entrypoint,
        command=list(command or arguments()),
        environment={**_command().environment, **_ONE_THREAD, "VLLM_API_KEY": api_key},
        ports={f"{serving.CONTAINER_PORT}/tcp": ("127.0.0.1", 0)},
        volumes=_mounts(profile, folders or {}),
        shm_size="1g",  # vLLM needs more than the 64 MB that a container has
        labels={LABEL: "1"},
    )


def _profile() -> dict[str, Any]:
    profile: dict[str, Any] = lookup_loader.get("toolserve.gpunode.profile").run(["pocket"], {})[0]
    return profile


@contextmanager
def started(container: Container, model: str) -> Iterator[str]:
    """Start a container of vLLM, give its address once it answers, and remove it in the end.

    :raises BenchError: the server ended, or did not answer in time; the message ends with its last log lines.
    """
    try:
        with step(f"Starting vLLM with {model} (about 30 s)"):
            container.start()
            address = _wait_until_healthy(container)
        yield address
    finally:
        container.remove(force=True, v=True)


def _mounts(profile: dict[str, Any], more: Mapping[Path, str]) -> dict[str, dict[str, str]]:
    folders = {
        **more,
        _FILES / "tool_parsers": serving.PARSER_FOLDER,
        _FILES / "chat_templates": serving.TEMPLATE_FOLDER,
        REPOSITORY / "tests/pocket_model/model": serving.model_mount(profile),
    }
    return {str(folder): {"bind": target, "mode": "ro"} for folder, target in folders.items()}


def _wait_until_healthy(container: Container) -> str:
    """Returns the address of the server."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        container.reload()
        if container.status != "running":
            raise BenchError(f"vLLM ended while it started. Its last log lines:\n{_log(container)}")
        address = address_of(container)
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return address
        except OSError:
            time.sleep(1)
    raise BenchError(f"vLLM did not answer within {_START_SECONDS} s. Its last log lines:\n{_log(container)}")


def address_of(container: Container) -> str:
    """Of a container that runs."""
    container.reload()
    published = container.ports[f"{serving.CONTAINER_PORT}/tcp"]
    assert published is not None
    return f"http://127.0.0.1:{published[0]['HostPort']}"


def _log(container: Container) -> str:
    return container.logs(tail=_LOG_LINES).decode(errors="replace").rstrip()
