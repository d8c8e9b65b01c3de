# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a model hub tells about a revision of a model: its commit, its files, and why it does not give them.

The hub's API: https://huggingface.co/docs/hub/api; its error codes: huggingface_hub, utils/_http.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

COMMIT = re.compile(r"[0-9a-f]{40}")
# The hub's own rule for names, with or without an owner.
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")


@dataclass(frozen=True)
class RepositoryFile:
    """One file; ``sha256`` is the hub's, empty for small files that are not in its large file storage."""

    path: str
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class Listing:
    """A revision, pinned to its commit."""

    commit: str
    gated: bool
    files: list[RepositoryFile]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def as_dict(self) -> dict[str, Any]:
        """For modules."""
        return {**asdict(self), "bytes": self.size}


def listing_url(endpoint: str, repository: str, revision: str) -> str:
    return f"{endpoint.rstrip('/')}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"


def access_url(endpoint: str, repository: str) -> str:
    """Says whether a token gets at the files of a gated model, of which everybody sees the list."""
    return f"{endpoint.rstrip('/')}/api/models/{repository}/auth-check"


def listing(document: Any, include: Iterable[str], exclude: Iterable[str]) -> Listing:
    """The files that are wanted.

    :param document: what `listing_url` answers.
    :param include: patterns as of fnmatch, whose ``*`` takes slashes too.
    :raises ValueError: it is not such an answer.
    """
    if not isinstance(document, Mapping) or not COMMIT.fullmatch(str(document.get("sha"))):
        raise ValueError("the answer names no commit")
    wanted, unwanted = list(include), list(exclude)
    files = []
    for entry in document.get("siblings") or []:
        path, large = entry["rfilename"], entry.get("lfs") or {}
        if not _matches(path, wanted) or _matches(path, unwanted):
            continue
        if entry.get("size") is None:
            raise ValueError(f"the answer tells no size of {path}")
        files.append(RepositoryFile(path, int(entry["size"]), str(large.get("sha256") or "")))
    return Listing(str(document["sha"]), bool(document.get("gated")), files)


def without_weights(found: Listing, repository: str) -> str:
    """Why this listing cannot be served; empty where it can."""
    names = {file.path for file in found.files}
    if "config.json" not in names:
        missing = "no config.json"
    elif not any(name.endswith(".safetensors") for name in names):
        missing = "no safetensors files"
    else:
        return ""
    return (
        f"{repository} at {found.commit} has {missing} among the files that model_weights_include and "
        "model_weights_exclude choose. Correct them, name another revision, or let vLLM fetch the model by itself with "
        "model_weights_source: none."
    )


def settings_problems(repository: str, revision: str) -> list[str]:
    """Names that no hub can have, one text each."""
    problems = []
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        problems.append(
            f"{repository!r} is no repository of a model hub, which is named owner/model. Correct model.id in the "
            "profile."
        )
    if not revision:
        return problems
    if not _REVISION.fullmatch(revision) or ".." in revision:
        problems.append(
            f"The revision {revision!r} is malformed. Set model_weights_revision to a commit (40 hexadecimal digits), "
            "a branch or a tag of the repository."
        )
    elif _SHORT_COMMIT.fullmatch(revision):
        problems.append(
            f"The revision {revision} looks like a shortened commit, which the hub does not know. Set "
            "model_weights_revision to all 40 digits."
        )
    return problems


def refusal(status: int, code: str, repository: str, revision: str, endpoint: str, has_token: bool) -> str:
    """What an answer other than 200 means, and what to do.

    :param code: the header X-Error-Code, empty where there is none.
    """
    seen = f"The hub {endpoint} answered {status}{f' ({code})' if code else ''} for {repository}"
    licence = f"accept the licence at {endpoint.rstrip('/')}/{repository}"
    if code == "RevisionNotFound":
        return (
            f"{seen}: it has no revision {revision}. Correct model_weights_revision, or model.revision in the profile."
        )
    if code == "GatedRepo" and not has_token:
        return (
            f"{seen}: the model is behind a licence, and vllm_hf_token is not set. With an account of the hub "
            f"{licence}, make a token that may read, and set vllm_hf_token (ansible-vault encrypt_string)."
        )
    if code == "GatedRepo" or status == 403:
        return (
            f"{seen}: the account of vllm_hf_token may not read this model. With that account {licence} and wait until "
            "it is granted; a fine-grained token also needs the right to read gated repositories."
        )
    if status == 401 and has_token and code != "RepoNotFound":
        return f"{seen}: it does not know the token in vllm_hf_token. It may be revoked or mistyped; set a new one."
    if status in (401, 404):
        # Without a token the hub answers 401 for what is private and for what does not exist.
        private = (
            "or it is private to another account" if has_token else "or it is private and vllm_hf_token is not set"
        )
        return f"{seen}: there is no such repository, {private}. Correct model.id in the profile, or set vllm_hf_token."
    if status == 429:
        return f"{seen}: too many requests. Set vllm_hf_token, which has a higher limit, or try again in some minutes."
    return f"{seen}, which it should not. Look whether {endpoint} works at present, and run the play again."


def unreachable(endpoint: str, error: str) -> str:
    return (
        f"The node does not reach the model hub {endpoint}: {error}. Open the way, set a proxy (HTTPS_PROXY in "
        "model_weights_environment) or a mirror (model_weights_hub_url), or bring the weights with "
        "model_weights_source archive or directory."
    )


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
