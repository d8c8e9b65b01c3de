# Copyright: (c) 2026, the toolserve.gpunode authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verify role as a playbook runs it, in front of a scripted endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_endpoint import FakeEndpoint, markup_left
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_generator import FakeGenerator
from ansible_collections.toolserve.gpunode.tests.unit.plugins.fake_nvidia_smi import (
    H200_BUSY,
    RTX_4080_SUPER_IDLE,
    fake_nvidia_smi,
)

pytestmark = pytest.mark.plays
REPOSITORY = Path(__file__).parents[3]
COLLECTIONS = REPOSITORY / "collections"
MODULE_UTILS = REPOSITORY / "plugins/module_utils"
PROGRAM = REPOSITORY / "roles/verify/files/repeat_verification.py"
SCHEMA = REPOSITORY / "roles/verify/files/evidence.schema.json"
CONTAINER = {
    "Name": "/vllm-server",
    "Image": "sha256:12",
    "RestartCount": 0,
    "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False},
    "NetworkSettings": {"Ports": {"8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8000"}]}},
}
LOG = "INFO vLLM API server version 0.32.0\n"
Container = Callable[..., None]


def verified(
    folder: Path,
    stand_in: FakeEndpoint | None = None,
    *,
    answers: bool = True,
    verbosity: int = 0,
    check: bool = False,
    **settings: Any,
) -> tuple[int, dict[str, Any]]:
    """The exit code of the play, and the evidence that it wrote into the folder; what it printed is printed again."""
    playbook = folder / "play.yml"
    stand_in = stand_in or FakeEndpoint(api_key=settings.get("verify_api_key"))
    with stand_in.serving() as endpoint:
        variables = {"verify_base_url": endpoint.url, "verify_report_dir": str(folder), "verify_throughput": False}
        variables |= settings if answers else settings | {"verify_base_url": "http://127.0.0.1:9/v1"}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        playbook.write_text(json.dumps([{**play, "roles": ["toolserve.gpunode.verify"]}]))
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", str(playbook)]
        command += ["--check"] if check else []
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_VERBOSITY": str(verbosity),
        }
        started_in = {"cwd": folder.parent, "env": environment}
        done = subprocess.run(command, **started_in, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)  # shown where a test fails
    if not (folder / "localhost.json").exists():
        return done.returncode, {}
    evidence = json.loads((folder / "localhost.json").read_text(encoding="utf-8"))
    jsonschema.validate(evidence, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return done.returncode, dict(evidence)


def test_the_evidence_is_written_for_people_and_for_machines(tmp_path: Path) -> None:
    secret = "canary-of-the-key"
    code, evidence = verified(
        tmp_path, verify_api_key=secret, verify_seed=7, verify_textfile_dir=str(tmp_path / "prom")
    )
    assert (code, evidence["verdict"], evidence["tool_calls"]["seed"]) == (0, "pass", 7)
    files = [*tmp_path.glob("localhost.*"), *(tmp_path / "prom").iterdir()]
    written = {path.name: path.read_text(encoding="utf-8") for path in files}
    assert set(written) == {"localhost.json", "localhost.junit.xml", "localhost.md", "toolserve_verify.prom"}
    assert "# localhost: passed" in written["localhost.md"] and "| T3-read |" in written["localhost.md"]
    assert ElementTree.fromstring(written["localhost.junit.xml"].partition("\n")[2]).find("testsuite") is not None
    assert 'toolserve_verify_success{host="localhost"' in written["toolserve_verify.prom"]
    assert secret not in "".join(written.values())


def test_a_name_tells_the_files_of_two_verifications_apart(tmp_path: Path) -> None:
    prom = tmp_path / "prom"
    verified(tmp_path, verify_name="coder", verify_seed=7, verify_textfile_dir=str(prom))
    names = {path.name for path in [*tmp_path.glob("localhost*"), *prom.iterdir()]}
    suffixes = ("json", "junit.xml", "md")
    assert names == {f"localhost.coder.{suffix}" for suffix in suffixes} | {"toolserve_verify_coder.prom"}
    evidence = json.loads((tmp_path / "localhost.coder.json").read_text(encoding="utf-8"))
    jsonschema.validate(evidence, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert evidence["name"] == "coder" and 'name="coder"' in (prom / "toolserve_verify_coder.prom").read_text()
    assert 'classname="localhost.coder"' in (tmp_path / "localhost.coder.junit.xml").read_text(encoding="utf-8")


def test_the_folder_of_the_evidence_is_seen_from_where_the_play_is_started(tmp_path: Path) -> None:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    verified(playbooks, answers=False, verify_wait_timeout_seconds=1, verify_report_dir="evidence")
    assert (tmp_path / "evidence/localhost.json").exists()


def test_an_endpoint_that_never_answers_leaves_evidence_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, evidence = verified(tmp_path, answers=False, verify_wait_timeout_seconds=1)
    assert (code, evidence["verdict"]) == (2, "fail")
    assert "connection refused" in evidence["causes"][0]["symptom"]
    assert_told(evidence["causes"], capsys.readouterr().out)


def test_a_wrong_key_is_told_on_the_terminal_with_its_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, evidence = verified(tmp_path, FakeEndpoint(api_key="the-right-one"), verify_api_key="canary-of-a-wrong-key")
    printed = capsys.readouterr().out
    assert (code, len(evidence["causes"])) == (2, 1)
    assert "missing or wrong" in evidence["causes"][0]["cause"] and "canary-of-a-wrong-key" not in printed
    assert_told(evidence["causes"], printed)


def test_a_wrong_model_name_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = {"served_name": "rocket"}
    code, evidence = verified(tmp_path, FakeEndpoint(), verify_profile=profile, verify_throughput=True)
    assert (code, evidence["throughput"]["verdict"]) == (2, "fail")
    assert [cause["cause"] for cause in evidence["causes"]] == ["The server serves pocket and no other name."]
    assert_told(evidence["causes"], capsys.readouterr().out)


def test_a_dry_run_tells_what_is_wrong_with_the_running_server_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, evidence = verified(tmp_path, FakeEndpoint(spoil=markup_left("tools")), check=True)
    assert (code, evidence) == (0, {})
    assert "Say what a dry run would have failed for" in (printed := capsys.readouterr().out)
    assert "MarkupLeak" in printed


def test_a_dry_run_has_nothing_to_tell_of_a_server_that_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified(tmp_path, check=True)[0] == 0
    assert "FAIL" not in capsys.readouterr().out


def test_the_evidence_tells_how_long_nothing_answered_and_why_the_old_server_serves_again(tmp_path: Path) -> None:
    _code, evidence = verified(tmp_path, verify_down_since=time.time() - 60, verify_rolled_back_because="it died")
    assert evidence["switch"]["downtime_seconds"] >= 60
    assert evidence["switch"]["rolled_back_because"] == "it died"
    page = (tmp_path / "localhost.md").read_text(encoding="utf-8")
    assert "| upgrade taken back because | it died |" in page and "| nothing answered for | " in page


def test_the_evidence_of_a_server_that_nobody_upgraded_has_no_switch(tmp_path: Path) -> None:
    assert verified(tmp_path)[1]["switch"] is None


def assert_told(causes: list[dict[str, str]], printed: str) -> None:
    """Symptom, cause and fix of each, wherever the terminal breaks its lines."""
    words = " ".join(printed.split())
    assert (
        causes and [part for cause in causes for part in ("symptom", "cause", "fix") if cause[part] not in words] == []
    )


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """Has a docker command on the path that knows one container, started with the arguments given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def known(*arguments: str, **fields: Any) -> None:
        put_docker(folder, {**CONTAINER, "Config": {"Image": "vllm", "Cmd": list(arguments)}, **fields})

    return known


def put_docker(folder: Path, container: dict[str, Any]) -> None:
    state = {"state": container["State"], "restarts": container["RestartCount"]}
    texts = {"state": json.dumps(state), "container": json.dumps([container]), "image": "[{}]", "log": LOG}
    for name, text in texts.items():
        (folder / name).write_text(text)
    command = folder / "docker"
    command.write_text(
        f"""#!/bin/sh
        cd {folder}
        case "$*" in
          *--format*) cat state ;;
          logs*) cat log ;;
          image*) cat image ;;
          *) cat container ;;
        esac
        """
    )
    command.chmod(0o755)


def test_no_output_however_verbose_holds_the_key(
    tmp_path: Path, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    """Docker shows the server's environment, in which the key is."""
    secret = "canary-of-the-key"
    config = {"Image": "vllm", "Cmd": ["--api-key", secret], "Env": [f"VLLM_API_KEY={secret}"]}
    container(Config=config)
    _code, evidence = verified(
        tmp_path,
        FakeGenerator(api_key=secret),
        verbosity=4,
        verify_api_key=secret,
        verify_container="vllm-server",
        verify_throughput=True,
        verify_throughput_output_tokens=16,
        verify_throughput_concurrency=[],
    )
    assert any("--api-key" in cause["symptom"] for cause in evidence["causes"])
    printed = capsys.readouterr().out
    assert "TASK [toolserve.gpunode.verify : Container | Look at it]" in printed
    assert [line for line in printed.splitlines() if secret in line] == []


def test_causes_that_only_the_container_gives_away_are_told_first(
    tmp_path: Path, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    container("--tool-call-parser", "hermes")
    code, evidence = verified(
        tmp_path,
        FakeEndpoint(spoil=markup_left("tools")),
        verify_container="vllm-server",
        verify_profile={"name": "qwen", "tool_calls": {"parser": "qwen_tools"}},
    )
    symptoms = [cause["symptom"] for cause in evidence["causes"]]
    assert (code, evidence["container"]["name"]) == (2, "vllm-server")
    assert symptoms[0] == "the server runs with --tool-call-parser hermes, and the profile qwen says qwen_tools"
    assert "<tools>" in symptoms[1]
    assert symptoms[-1] == "the server listens on 0.0.0.0, and no API key is asked for"
    printed = capsys.readouterr().out
    assert "All sources together say:" in printed and symptoms[0] in printed
    assert r"\\n" not in printed  # a line break that was taken for two characters
    assert symptoms[-1] in (tmp_path / "localhost.md").read_text(encoding="utf-8")


def test_why_a_server_is_slow_is_told_before_that_it_is(
    tmp_path: Path, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    container("--enforce-eager")
    code, evidence = verified(
        tmp_path,
        FakeGenerator(),
        verify_container="vllm-server",
        verify_throughput=True,
        verify_throughput_output_tokens=16,
        verify_throughput_concurrency=[],
        verify_minimum_tokens_per_second=1e9,
    )
    symptoms = [cause["symptom"] for cause in evidence["causes"]]
    assert (code, evidence["throughput"]["verdict"]) == (2, "fail")
    assert symptoms[0].endswith("in eager mode (--enforce-eager)")
    assert any("the least that was asked for" in symptom for symptom in symptoms[1:])
    assert "Leave --enforce-eager out." in capsys.readouterr().out


def test_the_gpus_that_serve_set_the_roofline_and_are_looked_at_under_load(
    tmp_path: Path, container: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two GPUs the container was given the second, which is held back only while it decodes."""
    cards = [
        {**RTX_4080_SUPER_IDLE, "index": "0"},
        {**H200_BUSY, "index": "1", "clocks_event_reasons.active": "0x40", "temperature.gpu": "93"},
    ]
    fake_nvidia_smi(tmp_path / "bin", *cards)
    requests = [{"Driver": "nvidia", "Count": 0, "DeviceIDs": ["1"], "Capabilities": [["gpu"]]}]
    container(HostConfig={"DeviceRequests": requests})
    code, evidence = verified(
        tmp_path,
        FakeGenerator(seconds_per_token=0.05),
        verify_container="vllm-server",
        verify_profile={
            "bytes": {"read_per_token": 10**11},
            "architecture": {"layers": 1, "kv_heads": 1, "head_dimension": 128},
        },
        verify_throughput=True,
        verify_throughput_output_tokens=16,
        verify_throughput_concurrency=[],
        verify_minimum_tokens_per_second=1e9,
    )
    throughput = evidence["throughput"]
    assert (code, throughput["verdict"]) == (2, "fail")
    assert throughput["roofline"]["memory_bandwidth"] == 4800e9
    assert throughput["roofline"]["memory_bandwidth_source"].endswith("GPU 1 (NVIDIA H200), given to the container")
    loads = {load["name"]: load for load in throughput["gpus_under_load"]}
    assert loads["NVIDIA H200"]["throttle_reasons"] == {"hw_thermal_slowdown": loads["NVIDIA H200"]["samples"]}
    symptom = evidence["causes"][0]["symptom"]
    assert "GPU 1 (NVIDIA H200) has lowered its clocks for its heat at 93 °C, in " in symptom
    assert symptom in " ".join(capsys.readouterr().out.split())
    assert "looks while it decoded" in (tmp_path / "localhost.md").read_text(encoding="utf-8")


def test_a_timer_without_a_place_for_its_result_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    assert verified(tmp_path, verify_timer=True) == (2, {})


def test_the_timer_s_program_runs_without_ansible(tmp_path: Path) -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in MODULE_UTILS.glob("*.py")}
    (tmp_path / "checks.json").write_text(json.dumps(sources), encoding="utf-8")
    with FakeEndpoint().serving() as endpoint:
        settings = {"host": "node1", "base_url": endpoint.url, "api_key": "", "timeout": 30, "profile": {}}
        settings["textfile"] = str(tmp_path / "toolserve_verify.prom")
        (tmp_path / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        # -I: nothing of this environment's own, -S: no installed package.
        command = [sys.executable, "-I", "-S", str(PROGRAM), "settings.json", "checks.json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "30 probes" in done.stdout
    assert 'toolserve_verify_success{host="node1"' in (tmp_path / "toolserve_verify.prom").read_text(encoding="utf-8")
