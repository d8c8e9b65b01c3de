# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of known hosts that SSH reads for a server, whether SSH heeds it, and the least change that mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.toolserve.gpunode.plugins.module_utils.ssh_host_keys import read

_NO_FILES = ("none", "/dev/null")
_HEEDED = ("ask", "yes", "true")

_WHERE = "Take that option out of ansible_ssh_common_args, ansible.cfg and ~/.ssh/config."


def target(options: str, file: str = "", host_key_checking: bool = True) -> dict[str, Any]:
    """Where SSH goes, and how it knows the server, from the output of ``ssh -G``.

    :param file: the file of known hosts that a person has chosen; empty for the one that SSH reads.
    :param host_key_checking: that setting of Ansible, of which ``ssh -G`` knows nothing.
    :return: ``host``, ``port``, ``name`` (of the server in known_hosts) and ``known_hosts``, which is empty where SSH
        is told to remember nothing; ``problems`` are the reasons why nobody would notice a foreign server.
    """
    values: dict[str, str] = {}
    for line in options.splitlines():
        keyword, _space, value = line.partition(" ")
        values.setdefault(keyword.lower(), value.strip())
    host, port = values.get("hostname", ""), int(values.get("port", "22"))
    alias = values.get("hostkeyalias", "")
    files = values.get("userknownhostsfile", "").split()
    chosen = str(Path(file).expanduser()) if file else ""
    remembers = not set(map(str.lower, files[:1])) & set(_NO_FILES)
    known_hosts = chosen or (next(iter(files), "") if remembers else "")
    return {
        "host": host,
        "port": port,
        "name": alias or (host if port == 22 else f"[{host}]:{port}"),
        "known_hosts": known_hosts,
        "problems": list(_unheeded(values, known_hosts, files, host_key_checking)),
    }


def _unheeded(values: Mapping[str, str], file: str, files: Sequence[str], host_key_checking: bool) -> Iterator[str]:
    if not host_key_checking:
        yield (
            "Ansible is told not to check host keys (host_key_checking in ansible.cfg, ANSIBLE_HOST_KEY_CHECKING or "
            "ansible_host_key_checking), so that SSH would log in to any server that answers. Take that setting away."
        )
    checking = values.get("stricthostkeychecking", "ask")
    if checking.lower() not in _HEEDED:
        yield (
            f"StrictHostKeyChecking of SSH is {'no' if checking == 'false' else checking}, so that it would log in to "
            f"a server whose key nobody has checked. {_WHERE}"
        )
    if not file:
        yield (
            f"SSH is told to remember no host keys of {values.get('hostname', '')} (UserKnownHostsFile). {_WHERE} "
            "Or name a file there, and in hetzner_bootstrap_known_hosts."
        )
    elif file.lower() in _NO_FILES or not _same(file, files):
        yield (
            f"hetzner_bootstrap_known_hosts is {file}, and SSH reads {' '.join(files) or 'none'}: the keys that are "
            "checked here would mean nothing to it. Name the same file in both: ansible_ssh_common_args: "
            f"-o UserKnownHostsFile={'PATH' if file.lower() in _NO_FILES else file}"
        )


def _same(file: str, files: Sequence[str]) -> bool:
    return Path(file).absolute() in [Path(each).expanduser().absolute() for each in files]


def plan(found: str, name: str, keys: Sequence[str]) -> dict[str, Any]:
    """What has to change so that a server is known by these keys and by no others.

    :param found: the output of ``ssh-keygen -F NAME``.
    :param name: the server's name in the file.
    :param keys: its keys, as OpenSSH writes them.
    :return: ``changed``; ``remove``: whether the entries of that name have to go first; ``add``: the lines to add;
        ``others``: the names that stand in the same lines, each with a line of its own, so that those hosts stay known.
    """
    entries = [line for line in found.splitlines() if line.strip() and not line.startswith(("#", "@"))]
    present = set(read("\n".join(entries)))
    wanted = read("\n".join(keys))
    remove = bool(present - set(wanted))
    missing = wanted if remove else [key for key in wanted if key not in present]
    others = _others(entries, name) if remove else []
    return {
        "changed": bool(missing) or remove,
        "remove": remove,
        "add": [f"{name} {key.text}" for key in missing],
        "others": others,
    }


def _others(entries: Sequence[str], name: str) -> list[dict[str, str]]:
    found = []
    for entry in entries:
        names, _space, key = entry.partition(" ")
        found += [{"name": each, "line": f"{each} {key}"} for each in names.split(",") if "," in names and each != name]
    return found
