# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads one commit of a model with huggingface_hub, checks it, and says how far it is.

Runs as a unit of systemd, which starts it again when it ends with TRY_AGAIN: what has arrived is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

GIVE_UP = 3  # the unit's RestartPreventExitStatus
TRY_AGAIN = 1


class Unusable(Exception):
    """Trying again is no use; the message says what to do."""


def main(job_file: str) -> int:
    """:param job_file: JSON, mode 0600; roles/model_weights/tasks/begin.yml writes it."""
    if not Path(job_file).exists():
        return 0  # killed between the end and its exit
    job = json.loads(Path(job_file).read_text())
    notes = Notes(Path(job["notes"]), job["bytes"])
    # Read when huggingface_hub is imported.
    os.environ.update(job["environment"] | {"HF_ENDPOINT": job["endpoint"], "HF_HOME": job["home"]})
    try:
        fetch(job, notes)
        outcome = 0
    except Unusable as error:
        notes.write("failed", str(error))
        outcome = GIVE_UP
    except Exception as error:  # whatever a network can do
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        print(reason, file=sys.stderr)
        if not (told := refused(error, job)):
            notes.write("retrying", reason)
            return TRY_AGAIN
        notes.write("failed", told)
        outcome = GIVE_UP
    Path(job_file).unlink()  # it may hold a token, and is of no more use
    return outcome


def fetch(job: dict, notes: Notes) -> None:
    from huggingface_hub import HfApi, snapshot_download

    folder, names = Path(job["folder"]), [file["path"] for file in job["files"]]
    folder.mkdir(parents=True, exist_ok=True)
    for file in job["files"]:
        if size(folder / file["path"]) not in (-1, file["size"]):
            forget(folder, file["path"])  # cut off by a crash of the node, for instance
    check_space(job, folder)
    notes.write("downloading")
    common = {"repo_id": job["repository"], "revision": job["commit"], "local_dir": folder}
    snapshot_download(**common, allow_patterns=[escaped(name) for name in names], token=job["token"] or False)
    missing = [file["path"] for file in job["files"] if size(folder / file["path"]) != file["size"]]
    if missing:
        raise OSError(f"not whole yet: {', '.join(missing)}")
    notes.write("checking")
    verified = HfApi(endpoint=job["endpoint"], token=job["token"] or False).verify_repo_checksums(**common)
    wrong = [mismatch for mismatch in verified.mismatches if mismatch["path"] in names]
    if wrong:
        for mismatch in wrong:
            forget(folder, mismatch["path"])
        listed = "; ".join(f"{each['path']} is {each['actual']}, not {each['expected']}" for each in wrong)
        raise Unusable(
            f"What has arrived is not what the hub has: {listed}. A mirror or a proxy may have changed it, or "
            "the disk is faulty. These files were removed; run the play again to fetch them anew."
        )
    mark(job, folder)
    notes.write("done")


def check_space(job: dict, folder: Path) -> None:
    present = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    needed, free = job["bytes"] - present + job["reserve"], shutil.disk_usage(folder).free
    if needed > free:
        raise Unusable(
            f"The disk under {folder} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed for what is "
            f"missing of {job['repository']}. Make room, or set model_weights_dir to a folder on a larger disk."
        )


def refused(error: Exception, job: dict) -> str:
    """What a refusal of the hub means; empty where trying again may help."""
    status = getattr(getattr(error, "response", None), "status_code", None) or 0
    if isinstance(error, OSError) and getattr(error, "errno", None) == 28:
        return (
            f"The disk under {job['folder']} is full. Make room, or set model_weights_dir to a folder on a larger disk."
        )
    if status in (401, 403, 404):
        return (
            f"The hub {job['endpoint']} refused {job['repository']} with {status} while it was downloaded: "
            f"{' '.join(str(error).split())[:300]}. Was the token revoked (vllm_hf_token), or the model withdrawn?"
        )
    return ""


def mark(job: dict, folder: Path) -> None:
    """Say that all is here: the last thing that happens to the folder."""
    content = {
        "source": "hub",
        "repository": job["repository"],
        "revision": job["commit"],
        "files": job["files"],
        "bytes": job["bytes"],
        "verified": "checksums of the hub",
    }
    unfinished = folder / f"{job['marker']}.new"
    with unfinished.open("w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.sync()  # the weights before the word that they are here
    unfinished.replace(folder / job["marker"])


def forget(folder: Path, name: str) -> None:
    """The file, and huggingface_hub's note that it is there."""
    (folder / name).unlink(missing_ok=True)
    (folder / ".cache/huggingface/download" / f"{name}.metadata").unlink(missing_ok=True)


def size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def escaped(name: str) -> str:
    """As a pattern that matches this name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


class Notes:
    """What the play reads while it waits."""

    def __init__(self, path: Path, total: int) -> None:
        self._path, self._total = path, total

    def write(self, phase: str, message: str = "") -> None:
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps({"phase": phase, "message": message, "total": self._total}))
        unfinished.replace(self._path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
