# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hetzner_bootstrap would write for sshd, beside what other files say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.toolserve.gpunode.tests.unit.collection.test_hetzner_robot import Bench
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_ssh_server import FakeSshServer

pytestmark = pytest.mark.plays
KEY_ONLY = "PermitRootLogin prohibit-password"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The node is this machine, with a folder in place of /etc/ssh, and another sshd."""
    for name in ("sshd", "systemctl"):
        program = tmp_path / "programs" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/{name}\n")
        program.chmod(0o755)
    (tmp_path / "etc/sshd_config.d").mkdir(parents=True)
    (tmp_path / "sshd").write_text("permitrootlogin without-password\n")
    (tmp_path / "systemctl").write_text("inactive\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/programs:{os.environ['PATH']}")
    with FakeSshServer().serving() as ssh:
        yield Bench(tmp_path, ssh)


def wanted(bench: Bench) -> str:
    """The file that a run would write."""
    folder = str(bench.folder / "etc")
    return bench.play(
        "admin_sshd",
        options=("--check", "--diff"),
        passes=True,
        ansible_connection="local",
        __hetzner_bootstrap_sshd_folder=folder,
    )


def test_logins_of_root_are_by_key_only(bench: Bench) -> None:
    (bench.folder / "etc/sshd_config").write_text("# PermitRootLogin no\nPermitRootLogin nobody-says-this\n")
    said = wanted(bench)
    assert f"+{KEY_ONLY}" in said and "+PasswordAuthentication no" in said


def test_those_that_are_ended_stay_ended(bench: Bench) -> None:
    (bench.folder / "sshd").write_text("port 22\npermitrootlogin no\n")
    said = wanted(bench)
    assert KEY_ONLY not in said and "+PasswordAuthentication no" in said


@pytest.mark.parametrize("line", ["PermitRootLogin no", '\tpermitrootlogin="no" # never'])
@pytest.mark.parametrize("file", ["sshd_config", "sshd_config.d/90-own.conf"])
def test_those_that_were_ended_while_our_file_was_there(bench: Bench, file: str, line: str) -> None:
    (bench.folder / "etc/sshd_config.d/10-toolserve-gpunode.conf").write_text(f"{KEY_ONLY}\n")
    (bench.folder / "etc" / file).write_text(f"{line}\n")
    assert f"-{KEY_ONLY}" in wanted(bench)
