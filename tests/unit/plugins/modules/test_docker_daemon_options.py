# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.toolserve.gpunode.plugins.modules import docker_daemon_options

Run = Callable[..., dict[str, Any]]
OWNERS = '{\n\t"mtu": 1450,\n\t"debug": true\n}'
MERGED = '{\n\t"mtu": 1450,\n\t"debug": true,\n\t"live-restore": true\n}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "daemon.json"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collected here, because on the controller Ansible displays them instead of returning them."""
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _, warning: said.append(warning))
    return said


@pytest.fixture
def run(run_module: Run, file: Path) -> Run:
    def call(content: str | bytes | None = None, **options: Any) -> dict[str, Any]:
        if content is not None:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run_module(docker_daemon_options, **{"path": str(file), **options})

    return call


def program(tmp_path: Path, script: str) -> str:
    """A stand-in for dockerd; what it is asked is the real one's matter, on the nodes of the bench."""
    path = tmp_path / "stand-in-dockerd"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"{path} --validate --config-file %s"


def test_a_missing_file_is_made_with_its_folder(run: Run, file: Path) -> None:
    result = run(defaults={"debug": True})
    assert result["changed"] is True
    assert file.read_text() == '{\n  "debug": true\n}\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert "backup_file" not in result
    assert run(defaults={"debug": True})["changed"] is False


def test_the_file_of_an_owner_is_extended_in_its_own_style(run: Run, file: Path) -> None:
    result = run(OWNERS, options={"live-restore": True})
    assert file.read_text() == MERGED
    assert Path(result["backup_file"]).read_text() == OWNERS
    assert result["options"] == {"mtu": 1450, "debug": True, "live-restore": True}
    assert (result["changed_keys"], result["restart_keys"]) == (["live-restore"], [])
    second = run(options={"live-restore": True})
    assert second["changed"] is False
    assert second["changed_keys"] == [] and "backup_file" not in second
    assert len(list(file.parent.iterdir())) == 2


def test_what_is_returned_is_what_is_documented(run: Run) -> None:
    result = run(OWNERS, options={"mtu": 1500, "bip": "172.30.0.1/16", "debug": False})
    result.pop("invocation", None)  # up to ansible-core 2.20
    assert result.pop("changed") is True
    assert result.keys() == yaml.safe_load(docker_daemon_options.RETURN).keys()
    assert result["changed_keys"] == ["mtu", "debug", "bip"]
    assert result["restart_keys"] == result["stranding_keys"] == ["mtu", "bip"]


def test_what_means_the_same_is_not_rewritten(run: Run, file: Path) -> None:
    content = '{"debug":true , "mtu":  1450}'
    assert run(content, options={"mtu": 1450}, defaults={"debug": False})["changed"] is False
    assert file.read_text() == content


def test_check_mode_and_diff_tell_and_write_nothing(run: Run, file: Path) -> None:
    result = run(OWNERS, options={"live-restore": True}, check_mode=True, _ansible_diff=True)
    assert result["changed"] is True
    assert (result["diff"]["before"], result["diff"]["after"]) == (OWNERS, MERGED)
    assert file.read_text() == OWNERS
    assert [entry.name for entry in file.parent.iterdir()] == ["daemon.json"]


def test_check_mode_makes_no_folder(run: Run, file: Path) -> None:
    assert run(defaults={"debug": True}, check_mode=True)["changed"] is True
    assert not file.parent.exists()


def test_owner_and_mode_stay(run: Run, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    before = file.stat()
    run(options={"debug": True})
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino  # replaced in one step


def test_a_link_is_followed(run: Run, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "managed" / "daemon.json"
    target.parent.mkdir()
    target.write_text(OWNERS)
    file.parent.mkdir()
    file.symlink_to("../managed/daemon.json")
    result = run(options={"live-restore": True})
    assert file.is_symlink()
    assert target.read_text() == MERGED
    assert Path(result["backup_file"]).parent == target.parent


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xef\xbb\xbf{}", b'{"a": 1', b'{"a": 1} x', b"[]", b'{"a": 1, "a": 2}', b'{"a": "\xff"}']
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_what_cannot_be_merged_is_left_as_it_is(run: Run, file: Path, content: bytes, check_mode: bool) -> None:
    result = run(content, options={"debug": True}, check_mode=check_mode)
    assert result["failed"] is True
    assert f"{file}, line 1, column " in result["msg"]
    assert "The file is left as it is." in result["msg"]
    assert file.read_bytes() == content
    assert [entry.name for entry in file.parent.iterdir()] == ["daemon.json"]


def test_a_folder_in_its_place(run: Run, file: Path) -> None:
    file.mkdir(parents=True)
    result = run(options={"debug": True})
    assert result["failed"] is True
    assert "cannot be read: Is a directory" in result["msg"]


def test_what_the_engine_refuses_is_not_written(run: Run, file: Path, tmp_path: Path) -> None:
    command = program(tmp_path, 'grep -q nonsense "$3" || exit 0; echo "unknown option: nonsense" >&2; exit 1')
    refused = run(OWNERS, options={"nonsense": 1}, validate=command)
    assert refused["failed"] is True
    assert "refuses the merged options: unknown option: nonsense." in refused["msg"]
    assert "Change the options that are asked for" in refused["msg"]
    assert file.read_text() == OWNERS
    accepted = run(options={"debug": False}, validate=command)
    assert accepted["validated"] is True


def test_an_engine_that_refuses_the_file_already_is_told_apart(run: Run, tmp_path: Path) -> None:
    result = run(OWNERS, options={"live-restore": True}, validate=program(tmp_path, "echo bad mtu; exit 1"))
    assert "The file as it is now is refused too" in result["msg"]


def test_other_flags_of_the_command_arrive(run: Run, tmp_path: Path) -> None:
    command = program(tmp_path, 'test -f "$3" && echo "$4 $5" && exit 1') + " --label '100% of it'"
    assert "refuses the merged options: --label 100% of it." in run(options={"debug": True}, validate=command)["msg"]


def test_an_engine_that_cannot_validate_is_a_warning(run: Run, tmp_path: Path, warnings: list[str]) -> None:
    command = program(tmp_path, 'echo "unknown flag: --validate" >&2; exit 125')
    result = run(OWNERS, options={"live-restore": True}, validate=command)
    assert result["changed"] is True and result["validated"] is False
    assert "older than 23.0" in warnings[0]


def test_an_engine_that_is_not_installed_yet(run: Run) -> None:
    options = {"options": {"debug": True}, "validate": "no-such-dockerd --validate --config-file %s"}
    assert run(check_mode=True, **options)["validated"] is False
    assert run(**options)["failed"] is True


def test_a_command_without_a_place_for_the_file(run: Run) -> None:
    assert "%s" in run(validate="dockerd --validate")["msg"]


def test_log_options_that_had_to_go_are_told(run: Run, warnings: list[str]) -> None:
    result = run('{"log-driver": "local", "log-opts": {"compress": "false"}}', options={"log-driver": "journald"})
    assert result["dropped_keys"] == ["log-opts"]
    assert "log-opts is removed" in warnings[0]
    assert result["options"] == {"log-driver": "journald"}


def test_secrets_are_masked(run: Run) -> None:
    content = '{"proxies": {"http-proxy": "http://me:pa55word@proxy.example.org"}}'
    result = run(content, options={"log-opts": {"splunk-token": "t0ken"}}, _ansible_diff=True)
    assert result["changed"] is True
    assert "pa55word" not in str(result) and "t0ken" not in str(result)
